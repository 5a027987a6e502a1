// The file exporter on real files: kills, torn lines, moved files, full disks, rotation.

import { mkdir, readdir, readFile, rename, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import t, { type Test } from "tap";
import {
  conformance,
  memoryState,
  storedRecord,
  testBatch,
  testContext,
} from "../../sdk/conformance.ts";
import type { ExportBatch, StateStore } from "../../sdk/index.ts";
import file from "./index.ts";
import { OutputFile } from "./output-file.ts";
import { FileExporter } from "./write.ts";

const never = new AbortController().signal;

async function text(path: string): Promise<string> {
  return await readFile(path, "utf8");
}

/** The lines that batches make. */
function lines(...batches: readonly ExportBatch[]): string {
  return batches.flatMap(({ records }) => records)
    .map(({ bytes }) => new TextDecoder().decode(bytes) + "\n").join("");
}

interface Fixture {
  readonly folder: string;
  readonly path: string;
  readonly state: StateStore;
  /** A new exporter on the same path and state, as after a restart. */
  make(rotation?: object): ReturnType<typeof file.create> & { logged(): string };
}

function fixture(t: Test): Fixture {
  const folder = t.testdir();
  const path = join(folder, "out", "records.jsonl");
  const state = memoryState();
  return {
    folder: join(folder, "out"),
    path,
    state,
    make(rotation = {}) {
      const context = testContext({ state });
      const exporter = file.create(file.config.parse({ path, rotation }), context);
      t.teardown(() => exporter.stop(never));
      const logged = () => context.lines.map(({ message }) => message).join("\n");
      return Object.assign(exporter, { logged });
    },
  };
}

await conformance(t, file, {
  minimal: { path: "records.jsonl" },
  async target(t) {
    const path = join(t.testdir(), "records.jsonl");
    return { config: { path }, delivered: () => text(path) };
  },
  async broken(t) {
    return { config: { path: t.testdir({ folder: {} }) } };
  },
});

t.test("export() writes each record's bytes and a line end, batch after batch", async (t) => {
  const { path, make } = fixture(t);
  const exporter = make();
  await exporter.export(testBatch(1, 3), never);
  await exporter.export(testBatch(4, 2000), never);
  t.equal(await text(path), lines(testBatch(1, 2000)));
});

t.test("export() writes a record larger than its write buffer", async (t) => {
  const { path, make } = fixture(t);
  const bytes = new Uint8Array(2_500_000).fill(0x78);
  const large = { ...storedRecord(2), bytes };
  const records = [storedRecord(1), large, storedRecord(3)];
  const batch = { ...testBatch(1, 3), records };
  await make().export(batch, never);
  t.ok(await text(path) === lines(batch), "three lines, the second of 2.5 MB");
});

t.test("a range that comes again after a restart stands once", async (t) => {
  const { path, make } = fixture(t);
  const first = make();
  await first.export(testBatch(1, 5), never);
  await first.export(testBatch(6, 9), never);
  const second = make();
  await second.export(testBatch(6, 9), never);
  await second.export(testBatch(10, 11), never);
  t.equal(await text(path), lines(testBatch(1, 11)));
});

t.test("a kill at any byte of a write leaves each record once, and no torn line", async (t) => {
  const { path, make } = fixture(t);
  await make().export(testBatch(1, 2), never);
  await make().export(testBatch(3, 4), never);
  const whole = lines(testBatch(1, 4));
  const begin = lines(testBatch(1, 2)).length;
  const wrong: number[] = [];
  for (let cut = begin; cut <= whole.length; cut += 7) {
    await truncate(path, cut);
    const restarted = make();
    await restarted.export(testBatch(3, 4), never);
    if (await text(path) !== whole) wrong.push(cut);
    await restarted.stop(never);
  }
  t.same(wrong, []);
});

t.test("a kill between the note of a range and its write changes nothing", async (t) => {
  const { path, make, state } = fixture(t);
  await make().export(testBatch(1, 2), never);
  const killed: StateStore = {
    get: state.get,
    async set(key, value) {
      await state.set(key, value);
      throw new Error("Killed");
    },
  };
  const config = file.config.parse({ path });
  const exporter = new FileExporter(config, testContext({ state: killed }));
  await t.rejects(exporter.export(testBatch(3, 4), never), { name: "RetryableError" });
  await exporter.stop();
  await make().export(testBatch(3, 4), never);
  t.equal(await text(path), lines(testBatch(1, 4)));
});

t.test("the same numbers of another plan are other records and are not taken for a retry", async (t) => {
  const { path, make } = fixture(t);
  await make().export(testBatch(1, 2), never);
  const replanned = { ...testBatch(1, 2), plannedAt: Date.UTC(2026, 5, 1) };
  await make().export(replanned, never);
  t.equal(await text(path), lines(testBatch(1, 2), replanned));
});

t.test("a torn line of our own is cut, with a warning", async (t) => {
  const { path, make } = fixture(t);
  await make().export(testBatch(1, 2), never);
  await writeFile(path, '{"half":', { flag: "a" });
  const restarted = make();
  await restarted.export(testBatch(3, 3), never);
  t.equal(await text(path), lines(testBatch(1, 3)));
  t.match(restarted.logged(), /Cut a torn line of 8 bytes/);
});

t.test("another program's file keeps its last line", async (t) => {
  const { folder, path, make } = fixture(t);
  await mkdir(folder);
  await writeFile(path, "theirs");
  await make().export(testBatch(1, 1), never);
  t.equal(await text(path), `theirs\n${lines(testBatch(1, 1))}`);
});

t.test("a file that logrotate moved away is followed by a new one", async (t) => {
  const { folder, path, make } = fixture(t);
  const exporter = make();
  await exporter.export(testBatch(1, 2), never);
  await rename(path, join(folder, "records.jsonl.1"));
  await exporter.export(testBatch(3, 4), never);
  t.equal(await text(join(folder, "records.jsonl.1")), lines(testBatch(1, 2)));
  t.equal(await text(path), lines(testBatch(3, 4)));
});

t.test("a range that comes again is cut out of the file it was moved away with", async (t) => {
  const { folder, path, make } = fixture(t);
  const exporter = make();
  await exporter.export(testBatch(1, 2), never);
  await exporter.export(testBatch(3, 4), never);
  await rename(path, join(folder, "records.jsonl.1"));
  const restarted = make();
  await restarted.export(testBatch(3, 4), never);
  t.equal(await text(join(folder, "records.jsonl.1")), lines(testBatch(1, 2)));
  t.equal(await text(path), lines(testBatch(3, 4)));
});

t.test("a range whose file is gone is written again, with a warning", async (t) => {
  const { folder, path, make } = fixture(t);
  await make().export(testBatch(1, 2), never);
  await mkdir(join(folder, "elsewhere"));
  await rename(path, join(folder, "elsewhere", "old"));
  const restarted = make();
  await restarted.export(testBatch(1, 2), never);
  t.equal(await text(path), lines(testBatch(1, 2)));
  t.match(restarted.logged(), /Records 1 to 2 may stand twice/);
});

t.test("a file emptied in place (copytruncate) is filled from its beginning", async (t) => {
  const { path, make } = fixture(t);
  const exporter = make();
  await exporter.export(testBatch(1, 2), never);
  await truncate(path, 0);
  await exporter.export(testBatch(3, 4), never);
  t.equal(await text(path), lines(testBatch(3, 4)));
});

t.test("a write that fails half way is cut back and said so, and the retry is whole", async (t) => {
  const { path, state } = fixture(t);
  let room = 3000;
  const open = async (path: string) => {
    const real = await OutputFile.open(path);
    const append = real.append.bind(real);
    real.append = async (records, signal) => {
      const fits = records.slice(0, Math.floor(room / 600));
      await append(fits, signal);
      if (fits.length === records.length) return;
      throw Object.assign(new Error("write failed"), { code: "ENOSPC" });
    };
    return real;
  };
  const exporter = new FileExporter(file.config.parse({ path }), testContext({ state }), open);
  await exporter.export(testBatch(1, 2), never);
  await t.rejects(exporter.export(testBatch(3, 12), never), {
    name: "RetryableError",
    code: "CAIRN_FILE_WRITE",
    message: /^Cannot write ".*records.jsonl": no space left on the device; free some/,
  });
  t.equal(await text(path), lines(testBatch(1, 2)), "no part of the batch stays");
  room = 1_000_000;
  await exporter.export(testBatch(3, 12), never);
  t.equal(await text(path), lines(testBatch(1, 12)));
  await exporter.stop();
});

t.test("a signal that aborts between writes takes the batch back", async (t) => {
  const { path, make } = fixture(t);
  const exporter = make();
  await exporter.export(testBatch(1, 2), never);
  const abort = new AbortController();
  const bytes = new Uint8Array(700_000).fill(0x78);
  const records = [3, 4, 5].map((sequence) => ({ ...storedRecord(sequence), bytes }));
  const exporting = exporter.export({ ...testBatch(3, 5), records }, abort.signal);
  abort.abort(new Error("Stopped by the test"));
  await t.rejects(exporting, { message: "Stopped by the test" });
  t.equal(await text(path), lines(testBatch(1, 2)));
});

t.test("max_bytes begins a new file at the border of a batch", async (t) => {
  const { folder, path, make } = fixture(t);
  const each = lines(testBatch(1, 10)).length;
  const exporter = make({ max_bytes: `${each * 2}B` });
  for (let first = 1; first <= 50; first += 10) {
    await exporter.export(testBatch(first, first + 9), never);
  }
  const names = (await readdir(folder)).sort();
  const [one, two] = ["records-20260102T000000Z-1.jsonl", "records-20260102T000000Z-21.jsonl"];
  t.same(names, [one, two, "records.jsonl"]);
  t.equal(await text(join(folder, one)), lines(testBatch(1, 20)));
  t.equal(await text(join(folder, two)), lines(testBatch(21, 40)));
  t.equal(await text(path), lines(testBatch(41, 50)));
});

t.test("max_age counts from a file's first batch, also over a restart", async (t) => {
  const { folder, make } = fixture(t);
  const at = (first: number, minutes: number) => ({
    ...testBatch(first, first),
    plannedAt: Date.UTC(2026, 0, 1, 0, minutes),
  });
  const rotation = { max_age: "1h" };
  await make(rotation).export(at(1, 0), never);
  await make(rotation).export(at(2, 59), never);
  await make(rotation).export(at(3, 60), never);
  t.same((await readdir(folder)).sort(), ["records-20260101T000000Z-1.jsonl", "records.jsonl"]);
});

t.test("a retried range is not rotated between its attempts", async (t) => {
  const { folder, path, make } = fixture(t);
  const rotation = { max_bytes: "1B" };
  await make(rotation).export(testBatch(1, 2), never);
  await make(rotation).export(testBatch(1, 2), never);
  t.same(await readdir(folder), ["records.jsonl"]);
  t.equal(await text(path), lines(testBatch(1, 2)));
});

t.test("a file put aside never replaces another", async (t) => {
  const { folder, make } = fixture(t);
  await mkdir(folder);
  await writeFile(join(folder, "records-20260102T000000Z-1.jsonl"), "theirs");
  const exporter = make({ max_bytes: "1B" });
  await exporter.export(testBatch(1, 1), never);
  await exporter.export(testBatch(2, 2), never);
  t.equal(await text(join(folder, "records-20260102T000000Z-1.jsonl")), "theirs");
  t.equal(await text(join(folder, "records-20260102T000000Z-1-2.jsonl")), lines(testBatch(1, 1)));
});

t.test("max_files deletes the oldest, and says so; other files stay", async (t) => {
  const { folder, make } = fixture(t);
  await mkdir(folder);
  await writeFile(join(folder, "records-notes.jsonl"), "mine");
  const exporter = make({ max_bytes: "1B", max_files: 2 });
  for (const first of [8, 9, 10, 11, 12]) await exporter.export(testBatch(first, first), never);
  t.same((await readdir(folder)).sort(), [
    "records-20260102T000000Z-10.jsonl",
    "records-20260102T000000Z-11.jsonl",
    "records-notes.jsonl",
    "records.jsonl",
  ]);
  t.match(exporter.logged(), /Deleted "records-20260102T000000Z-8.jsonl": more than 2 rotated/);
});

t.test("max_files alone is refused, for nothing would be rotated", async (t) => {
  const result = file.config.safeParse({ path: "x", rotation: { max_files: 3 } });
  t.match(result.error?.issues, [{ path: ["rotation", "max_files"] }]);
});

t.test("a path that cannot be a file says what to do", async (t) => {
  const config = file.config.parse({ path: "/dev/null" });
  const exporter = new FileExporter(config, testContext());
  await t.rejects(exporter.export(testBatch(1, 1), never), {
    name: "RetryableError",
    message:
      'Cannot write "/dev/null": it is not a regular file; name one, or use exporter debug ' +
      "for a terminal",
  });
});
