// conformance(): the tests that every plugin runs, whoever wrote it, and the doubles they use. Call
// it from the plugin's own test file with tap's `t`. It needs nothing but the SDK, tap and Node's
// modules, so plugins outside this tree use it as `cairn-agent/sdk/conformance`.

import type { Test } from "tap";
import { checkConfiguration } from "./conformance/configuration.ts";
import { checkExporter, type ExporterConformance } from "./conformance/exporter.ts";
import { checkFormat, type FormatConformance } from "./conformance/format.ts";
import { checkProcessor, type ProcessorConformance } from "./conformance/processor.ts";
import { checkReceiver, type ReceiverConformance } from "./conformance/receiver.ts";
import { testContext } from "./conformance/context.ts";
import { checkLifecycle } from "./conformance/lifecycle.ts";
import type { ComponentContext } from "./component.ts";
import type {
  ComponentFactory,
  ExporterFactory,
  ExtensionFactory,
  FormatFactory,
  ProcessorFactory,
  ReceiverFactory,
} from "./factory.ts";

export { type TestCertificates, testCertificates } from "./conformance/certificates.ts";
export * from "./conformance/context.ts";
export {
  type ExporterConformance,
  type ExporterTarget,
  storedRecord,
  testBatch,
  testRecord,
} from "./conformance/exporter.ts";
export type { FormatConformance } from "./conformance/format.ts";
export { aboutLine } from "./conformance/line-event.ts";
export { lineFormat } from "./conformance/line-format.ts";
export { stopInTime } from "./conformance/lifecycle.ts";
export type { ProcessorConformance } from "./conformance/processor.ts";
export { compare, type ReceiverConformance, type ReceiverSource } from "./conformance/receiver.ts";
export * from "./conformance/recording-intake.ts";
export * from "./conformance/until.ts";

/** What conformance() needs to know about an extension. */
export interface ExtensionConformance {
  /** A configuration that starts anywhere, such as one with port 0. */
  readonly minimal: Readonly<Record<string, unknown>>;
  readonly context?: Partial<ComponentContext>;
}

interface Check {
  <F extends ReceiverFactory>(t: Test, factory: F, options: ReceiverConformance): Promise<void>;
  <F extends FormatFactory>(t: Test, factory: F, options: FormatConformance): Promise<void>;
  <F extends ProcessorFactory>(t: Test, factory: F, options: ProcessorConformance): Promise<void>;
  <F extends ExporterFactory>(t: Test, factory: F, options: ExporterConformance): Promise<void>;
  <F extends ExtensionFactory>(t: Test, factory: F, options: ExtensionConformance): Promise<void>;
}

type Options =
  | ReceiverConformance
  | FormatConformance
  | ProcessorConformance
  | ExporterConformance
  | ExtensionConformance;

/**
 * Tests a plugin against the contract: its configuration, its lifecycle and what its kind promises.
 * Adds subtests to `t`; resolves when they have run.
 */
export const conformance: Check = async (
  t: Test,
  factory: ComponentFactory,
  options: Options,
): Promise<void> => {
  await t.test(`${factory.kind} ${factory.type} keeps the contract`, async (t) => {
    await checkConfiguration(t, factory, options.minimal);
    switch (factory.kind) {
      case "receiver":
        return await checkReceiver(t, factory, options as ReceiverConformance);
      case "format":
        return await checkFormat(t, factory, options as FormatConformance);
      case "processor":
        return await checkProcessor(t, factory, options as ProcessorConformance);
      case "exporter":
        return await checkExporter(t, factory, options as ExporterConformance);
      case "extension": {
        const { minimal, context } = options as ExtensionConformance;
        const config = factory.config.parse(minimal);
        return await checkLifecycle(t, () => factory.create(config, testContext(context)));
      }
    }
  });
};
