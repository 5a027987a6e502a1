// conformance() is run on small plugins that keep the contract, and on ones that break it in one way.

import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import t, { type Test } from "tap";
import { z } from "zod";
import {
  type Decoded,
  defineExporter,
  defineFormat,
  defineProcessor,
  defineReceiver,
  type Format,
  type FramePosition,
  type Host,
  type Intake,
  NOTHING,
  type Receiver,
  RejectedInput,
  RetryableError,
} from "./index.ts";
import { aboutLine, conformance, recordingIntake, testContext, until } from "./conformance.ts";

const nothing = z.strictObject({});
const common = { stability: "stable", summary: "Made for a test", config: nothing } as const;

/** Groups `begin N` and `end N` lines, as a format with pending frames does. */
class PairFormat implements Format {
  #pending = new Map<string, FramePosition>();

  decode(frame: Uint8Array, at: FramePosition): Decoded {
    const [verb, key] = new TextDecoder().decode(frame).split(" ");
    if (key === undefined) throw new RejectedInput("Line has no key");
    if (verb === "begin") this.#pending.set(key, at);
    else if (verb !== "end") throw new RejectedInput("Line is neither begin nor end");
    else if (this.#pending.delete(key)) return { events: [aboutLine(key)] };
    return NOTHING;
  }

  flush(nowMs: number): Decoded {
    if (nowMs !== Infinity) return NOTHING;
    const events = [...this.#pending.keys()].map(aboutLine);
    this.#pending.clear();
    return { events };
  }

  oldestPending(): FramePosition | undefined {
    return [...this.#pending.values()].at(0);
  }
}

const pairFormat = defineFormat({ type: "pair", ...common, create: () => new PairFormat() });

const pairFrames = Array.from({ length: 60 }, (_, i) => [`begin ${i}`, `begin x${i}`, `end ${i}`])
  .flat().map((line) => new TextEncoder().encode(line));

/** Takes numbers from a list in memory, and sends them on one by one. */
class MemoryReceiver implements Receiver {
  readonly #inbox: readonly string[];
  readonly #intake: Intake;
  #stop: AbortController | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(inbox: readonly string[], intake: Intake) {
    this.#inbox = inbox;
    this.#intake = intake;
  }

  async start(host: Host): Promise<void> {
    this.#stop = new AbortController();
    host.report("running");
    this.#running = this.#run(this.#stop.signal);
  }

  async stop(deadline: AbortSignal): Promise<void> {
    this.#stop?.abort(new Error("Stopped"));
    // A deadline may have passed already; it tells nobody of it any more.
    if (deadline.aborted) return;
    const late = new Promise((resolve) => deadline.addEventListener("abort", resolve));
    await Promise.race([this.#running, late]);
  }

  async #run(signal: AbortSignal): Promise<void> {
    let next = Number(this.#intake.position()?.next ?? 0);
    while (!signal.aborted) {
      const text = this.#inbox[next];
      if (text === undefined) {
        await new Promise((resolve) => setTimeout(resolve, 2));
        continue;
      }
      const options = { position: { next: next + 1 }, signal };
      const done = text.startsWith("bad")
        ? this.#intake.reject(new TextEncoder().encode(text), "Starts with bad", {
          ...options,
          id: String(next),
        })
        : this.#intake.events([aboutLine(text)], options);
      next += await done.then(() => 1, () => 0);
    }
  }
}

const memoryReceiver = defineReceiver({
  type: "memory",
  stability: "stable",
  summary: "Made for a test",
  config: z.strictObject({
    inbox: z.custom<string[]>(Array.isArray).default([]).describe("What to read"),
  }),
  create: ({ inbox }, _context, intake) => new MemoryReceiver(inbox, intake),
});

const memorySource = async () => {
  const inbox: string[] = [];
  return {
    config: { inbox },
    write: async (count: number) => {
      const from = inbox.length;
      for (let i = 0; i < count; i++) inbox.push(`line ${from + i}`);
      return inbox.slice(from);
    },
    writeBad: async (noise: Uint8Array) => {
      inbox.push(`bad ${noise.length}`);
    },
  };
};

const folderExporter = (name: (first: number) => string) =>
  defineExporter({
    type: "folder",
    stability: "stable",
    summary: "Made for a test",
    config: z.strictObject({ folder: z.string().default(".").describe("Where to write") }),
    create: ({ folder }) => ({
      start: async () => {},
      stop: async () => {},
      export: async ({ records, range }) => {
        const text = records.map((record) => JSON.stringify(record.record)).join("\n");
        await writeFile(join(folder, name(range.first)), text).catch((cause) => {
          throw new RetryableError(`Cannot write into "${folder}": no such folder`, { cause });
        });
      },
    }),
  });

const folderOptions = {
  minimal: {},
  target: async (t: Test) => {
    const folder = t.testdir();
    const read = async () => {
      const names = (await readdir(folder)).sort();
      return await Promise.all(names.map((name) => readFile(join(folder, name), "utf8")));
    };
    return { config: { folder }, delivered: read };
  },
  broken: async () => ({ config: { folder: "/no/such/folder" } }),
};

t.test("conformance() passes plugins that keep the contract", async (t) => {
  await conformance(t, pairFormat, { minimal: {}, frames: pairFrames });
  await conformance(t, memoryReceiver, { minimal: {}, source: memorySource });
  await conformance(t, folderExporter((first) => `${first}.json`), folderOptions);
  const upright = defineProcessor({
    type: "upright",
    ...common,
    create: () => ({ start: async () => {}, stop: async () => {}, process: (batch) => batch }),
  });
  await conformance(t, upright, { minimal: {} });
});

/** A test object that notes the names of subtests with a failed assertion instead of failing. */
function observer(failed: Set<string>, t: Test, name = ""): Test {
  const note = (good: boolean) => {
    if (!good) failed.add(name);
    return good;
  };
  const double = {
    test: async (inner: string, ...rest: unknown[]) => {
      if ((rest[0] as { skip?: unknown }).skip) return;
      const run = rest.at(-1) as (t: Test) => Promise<void>;
      await run(observer(failed, t, inner)).catch(() => failed.add(inner));
    },
    ok: (value: unknown) => note(Boolean(value)),
    notOk: (value: unknown) => note(!value),
    equal: (a: unknown, b: unknown) => note(Object.is(a, b)),
    same: (a: unknown, b: unknown) => note(JSON.stringify(a) === JSON.stringify(b)),
    match: () => note(true),
    notMatch: () => note(true),
    doesNotThrow: (run: () => void) => run(),
    fail: () => note(false),
    comment: () => {},
    testdir: () => t.testdir(),
    teardown: (clean: () => void) => t.teardown(clean),
  };
  return double as unknown as Test;
}

t.test("conformance() finds a format that throws what it likes or keeps a frame", async (t) => {
  const failed = new Set<string>();
  let last: Uint8Array | undefined;
  const careless = defineFormat({
    type: "careless",
    ...common,
    create: () => ({
      decode: (frame) => {
        const id = new TextDecoder().decode(last ?? frame);
        last = frame;
        return { events: [aboutLine(String(JSON.parse(id)))] };
      },
      flush: () => NOTHING,
      oldestPending: () => undefined,
    }),
  });
  const frames = [1, 2, 3].map((number) => new TextEncoder().encode(String(number)));
  await conformance(observer(failed, t), careless, { minimal: {}, frames });
  t.ok(failed.has("decode() answers any bytes with events, records or RejectedInput"));
  t.ok(failed.has("decode() does not keep a frame's memory"));
});

t.test("conformance() finds an exporter that delivers a range twice", async (t) => {
  const failed = new Set<string>();
  let count = 0;
  const twice = folderExporter(() => `${count++}.json`);
  await conformance(observer(failed, t), twice, folderOptions);
  t.ok(
    failed.has("export() of the same range twice, also after a restart, delivers it once"),
  );
});

t.test("conformance() finds a receiver that reads on without an answer", async (t) => {
  const failed = new Set<string>();
  const greedy = defineReceiver({
    ...memoryReceiver,
    create: ({ inbox }, _context, intake) => {
      let timer: ReturnType<typeof setInterval> | undefined;
      let next = 0;
      return {
        start: async () => {
          timer = setInterval(() => {
            for (; next < inbox.length; next++) {
              intake.events([aboutLine(inbox[next]!)]).catch(() => {});
            }
          }, 2);
        },
        stop: async () => clearInterval(timer),
      };
    },
  });
  const options = { minimal: {}, source: memorySource, backlog: 1000 };
  const quick = { ...options, noPosition: "not under test", noBadInput: "not under test" };
  await conformance(observer(failed, t), greedy, quick);
  t.ok(failed.has("it stops reading while the intake does not answer"));
});

t.test("conformance() finds a configuration that is loose or undescribed", async (t) => {
  const failed = new Set<string>();
  const loose = defineFormat({
    type: pairFormat.type,
    stability: pairFormat.stability,
    summary: pairFormat.summary,
    config: z.object({ key: z.string().default("a") }),
    create: () => new PairFormat(),
  });
  await conformance(observer(failed, t), loose, { minimal: {}, frames: pairFrames });
  t.ok(failed.has("the configuration refuses unknown keys"));
  t.ok(failed.has("every option has a description"));
});

t.test("recordingIntake() fails, waits and dies as asked, and merges positions", async (t) => {
  const intake = recordingIntake({ kept: 1, gone: 2 });
  intake.failNext(1);
  await t.rejects(intake.events([aboutLine("a")], { position: { kept: 9 } }));
  t.same(intake.position(), { kept: 1, gone: 2 }, "a failed call changes nothing");
  await intake.events([aboutLine("b")], { position: { gone: null, added: 3 } });
  t.same(intake.position(), { kept: 1, added: 3 });
  intake.block();
  const abort = new AbortController();
  const waiting = intake.events([aboutLine("c")], { signal: abort.signal });
  t.equal(intake.outstanding, 1);
  abort.abort(new Error("Stopped"));
  await t.rejects(waiting, { message: "Stopped" });
  const later = intake.crash();
  intake.unblock();
  intake.events([aboutLine("d")]).catch(() => {});
  await later.events([aboutLine("e")]);
  t.same(later.ids, ["b", "e"], "the dead one's calls are never taken");
});

t.test("until() says what it waited for in vain", async (t) => {
  await t.rejects(until(() => false, "rain", 10), { message: /rain/ });
  t.throws(() => testContext().format("none"), { message: /"none"/ });
});
