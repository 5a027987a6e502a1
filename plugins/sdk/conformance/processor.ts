// The part of conformance() for processors: records are never changed in place.

import type { Test } from "tap";
import type { ComponentContext } from "../component.ts";
import type { ProcessorFactory } from "../factory.ts";
import { testContext, testHost } from "./context.ts";
import { storedRecord } from "./exporter.ts";
import { checkLifecycle, stopInTime } from "./lifecycle.ts";

/** What conformance() needs to know about a processor. */
export interface ProcessorConformance {
  /** The shortest valid configuration. */
  readonly minimal: Readonly<Record<string, unknown>>;
  readonly context?: Partial<ComponentContext>;
}

/** All of it. */
export async function checkProcessor(
  t: Test,
  factory: ProcessorFactory,
  options: ProcessorConformance,
): Promise<void> {
  const make = () =>
    factory.create(
      factory.config.parse(options.minimal),
      testContext({ id: factory.type, ...options.context }),
    );
  await checkLifecycle(t, make);
  await t.test("process() takes frozen records and an empty batch", async (t) => {
    const processor = make();
    await processor.start(testHost());
    const batch = Object.freeze([1, 2, 3].map((number) => storedRecord(number).record));
    t.ok(Array.isArray(await processor.process(batch)), "answers with a batch");
    t.same(await processor.process([]), [], "nothing comes of nothing");
    await stopInTime(t, processor);
  });
}
