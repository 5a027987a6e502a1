// What a history consists of on the disk: a log that takes new events, sealed segments by day, and
// the chain of seals. The writer of it; lookups read the parts.
//
//   log-00000012              live-log.ts
//   2026-11-22/00000011.seg   segment.ts
//   seals.jsonl               seals.ts
//
// A log is sealed when it is large, and once a day. Its segments are written first, then its seal, then
// the next log, and then it is removed: whatever the moment of a crash, each event is in one part.

import { readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { atomicFileCalls, makeFolderDurable } from "../../sdk/atomic-file.ts";
import type { ExportBatch, Log, Runtime } from "../../sdk/index.ts";
import type { BatchIdentity } from "./frame.ts";
import { LiveLog, removeLog } from "./live-log.ts";
import type { Part, TellDamage } from "./part.ts";
import { DAY_MS } from "./rows.ts";
import { Seals } from "./seals.ts";
import { type ReadCache, Segment, segmentLog, segmentName } from "./segment.ts";
import { dayName, writeSegment, type WrittenSegment } from "./write-segment.ts";

// What a log may hold: its columns are in memory, some 70 bytes a row.
const LOG_ROWS_MAX = 32_768;
const LOG_BYTES_MAX = 64 * 1024 * 1024;
// A day is sealed when it has been over for an hour: what is late by less is still in it.
const SEAL_AFTER_MS = 3_600_000;
// Damaged logs that are kept for whoever wants to look at them; each is up to 64 MiB.
const BROKEN_MAX = 3;
const BROKEN_NAME = /^log-\d{8,}\.broken$/;
const LOG_NAME = /^log-(\d{8,})$/;
const DAY_NAME = /^\d{4}-\d{2}-\d{2}$/;

/** What a store needs. */
export interface StoreOptions {
  readonly directory: string;
  readonly retentionDays: number;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  readonly log: Pick<Log, "info" | "error">;
  readonly gzip: Runtime["gzip"];
  readonly cache: ReadCache;
  readonly tell: TellDamage;
  /** Nothing is mended, sealed or dropped: an agent may be at work. */
  readonly isReadOnly?: boolean;
  /** Rows that a log holds; fewer in tests. */
  readonly logRowsMax?: number;
}

/** The folder, or a file in it, was taken away under the running store. */
export class StoreGoneError extends Error {
  override readonly name = "StoreGoneError";
  readonly code = "CAIRN_HISTORY_GONE";
}

/** An open history. */
export class HistoryStore {
  readonly #options: StoreOptions;
  readonly #seals: Seals;
  #segments: readonly Segment[];
  #live: LiveLog | undefined;
  /** Writers take turns. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(
    options: StoreOptions,
    seals: Seals,
    segments: readonly Segment[],
    live: LiveLog | undefined,
  ) {
    this.#options = options;
    this.#seals = seals;
    this.#segments = segments;
    this.#live = live;
  }

  /** Opens what is there; makes it where nothing is, unless it is only to be read. */
  static async open(options: StoreOptions): Promise<HistoryStore> {
    const { directory, isReadOnly = false, tell } = options;
    if (!isReadOnly) await makeFolderDurable(directory, { mode: 0o700 });
    const seals = await Seals.open(directory);
    const names = await readdir(directory);
    const logs = names.flatMap((name) => LOG_NAME.exec(name)?.[1] ?? []).map(Number);
    const newest = Math.max(0, ...logs);
    let live: LiveLog | undefined;
    if (newest > 0) {
      const path = logPath(directory, newest);
      live = await LiveLog.open(path, isReadOnly, tell);
      if (live === undefined && !isReadOnly) await rename(path, `${path}.broken`);
    }
    // A log that is not sealed holds all of it: its segments are of a sealing that was cut off.
    const unfinished = live !== undefined && !seals.has(newest) ? newest : undefined;
    const segments = await openSegments(options, names, unfinished);
    const last = Math.max(newest, seals.lastLog, ...segments.map(({ log }) => log));
    // A log that is sealed is in its segments.
    const isSealed = live !== undefined && seals.has(live.log);
    const store = new HistoryStore(options, seals, segments, live);
    if (isReadOnly) {
      if (isSealed) await store.#closeLive();
      return store;
    }
    if (live === undefined || isSealed) await store.#beginLog(last + 1);
    for (const log of logs) {
      const path = logPath(directory, log);
      if (path !== store.#live?.path) await removeLog(path, directory);
    }
    return store;
  }

  /** All that can be looked up now. */
  get parts(): readonly Part[] {
    return this.#live === undefined ? this.#segments : [...this.#segments, this.#live];
  }

  /** On the disk. */
  get bytes(): number {
    return this.#segments.reduce((sum, { bytes }) => sum + bytes, this.#live?.bytes ?? 0);
  }

  /** The moment before which everything is too old. */
  get horizon(): number {
    return (this.#today() - this.#options.retentionDays) * DAY_MS;
  }

  /** Keeps a batch; resolves when it is on the disk. One that was kept before is left alone. */
  append({ records, range, plannedAt }: ExportBatch): Promise<void> {
    const identity: BatchIdentity = [range.first, range.last, plannedAt];
    return this.#inTurn(async () => {
      const { gzip, logRowsMax = LOG_ROWS_MAX } = this.#options;
      let live = this.#liveLog();
      if (live.batch !== undefined && identity.every((part, i) => part === live.batch?.[i])) return;
      if (!await live.isThere()) {
        throw new StoreGoneError(`"${live.path}" was moved or deleted`);
      }
      const isFull = live.rows + records.length > logRowsMax || live.bytes > LOG_BYTES_MAX;
      if (isFull || this.#seals.has(live.log)) await this.#seal();
      live = this.#liveLog();
      await live.append(identity, records, gzip);
    });
  }

  /** Seals what is due, and drops the days that are too old. */
  tend(): Promise<void> {
    return this.#inTurn(async () => {
      const now = this.#options.clock();
      const { begunAt, rows } = this.#liveLog();
      const sealDay = (at: number) => Math.floor((at - SEAL_AFTER_MS) / DAY_MS);
      if (rows > 0 && sealDay(now) > sealDay(begunAt)) await this.#seal();
      await this.#dropOld();
    });
  }

  /** Seals what the log holds now. */
  seal(): Promise<void> {
    return this.#inTurn(() => this.#seal());
  }

  /** Waits for a write under way, and closes. */
  close(): Promise<void> {
    return this.#inTurn(() => this.#closeLive());
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  #liveLog(): LiveLog {
    if (this.#live !== undefined) return this.#live;
    throw new StoreGoneError(`"${this.#options.directory}" is closed`);
  }

  #today(): number {
    return Math.floor(this.#options.clock() / DAY_MS);
  }

  async #seal(): Promise<void> {
    const { directory, clock, gzip, log, tell, cache } = this.#options;
    const live = this.#liveLog();
    if (live.rows === 0) return;
    const isSealed = this.#seals.has(live.log);
    const segments: WrittenSegment[] = [];
    const days = new Set(await live.column("day"));
    for (const day of [...days].sort((a, b) => a - b)) {
      if (day * DAY_MS < this.horizon) continue;
      // A seal that is there was written after its segments; only what followed it failed.
      const written = isSealed ? undefined : await writeSegment(directory, live, day, gzip);
      if (written !== undefined) segments.push(written);
    }
    if (!isSealed) {
      const hash = await this.#seals.add({ log: live.log, segments }, clock());
      const events = segments.reduce((sum, segment) => sum + segment.events, 0);
      log.info("Sealed a part of the history", { log: live.log, events, hash });
    }
    const opened: Segment[] = [];
    for (const day of days) {
      const path = join(directory, dayName(day), segmentName(live.log));
      const segment = await Segment.open(path, cache, tell).catch(whereMissing);
      if (segment !== undefined) opened.push(segment);
    }
    await this.#beginLog(live.log + 1, [...this.#segments, ...opened]);
    await removeLog(live.path, directory);
  }

  /** Begins the next log in the place of the one so far, together with what that has become. */
  async #beginLog(log: number, segments = this.#segments): Promise<void> {
    const { directory, clock, tell } = this.#options;
    const before = this.#live;
    const about = { log, begunAt: clock(), batch: before?.batch };
    this.#live = await LiveLog.begin(logPath(directory, log), about, tell);
    this.#segments = segments;
    await before?.close();
  }

  async #dropOld(): Promise<void> {
    const { directory, clock, log } = this.#options;
    const oldest = dayName(this.horizon / DAY_MS);
    const names = await readdir(directory);
    for (const day of names.filter((name) => DAY_NAME.test(name) && name < oldest).sort()) {
      await this.#seals.add({ dropped: day }, clock());
      this.#segments = this.#segments.filter((segment) => !segment.name.startsWith(`${day}/`));
      await rm(join(directory, day), { recursive: true, force: true });
      await atomicFileCalls.syncFolder(directory);
      log.info("Dropped a day of the history: it is too old", { day });
    }
    await this.#dropBroken(names.filter((name) => BROKEN_NAME.test(name)).sort());
  }

  /** Of damaged logs the last few stay, and none that is too old. */
  async #dropBroken(names: readonly string[]): Promise<void> {
    const { directory, log } = this.#options;
    for (const [i, name] of names.entries()) {
      const path = join(directory, name);
      const isOld = (await stat(path)).mtimeMs < this.horizon;
      if (!isOld && i >= names.length - BROKEN_MAX) continue;
      await rm(path, { force: true });
      log.info("Dropped a damaged log of the history", { name, isOld });
    }
  }

  async #closeLive(): Promise<void> {
    const live = this.#live;
    this.#live = undefined;
    await live?.close();
  }
}

async function openSegments(
  { directory, cache, tell, isReadOnly = false }: StoreOptions,
  names: readonly string[],
  unfinished: number | undefined,
): Promise<Segment[]> {
  const segments: Segment[] = [];
  for (const day of names.filter((name) => DAY_NAME.test(name)).sort()) {
    for (const name of await readdir(join(directory, day))) {
      const path = join(directory, day, name);
      const log = segmentLog(name);
      const isWhole = log !== undefined && log !== unfinished;
      const segment = isWhole ? await Segment.open(path, cache, tell) : undefined;
      if (segment !== undefined) segments.push(segment);
      const isLeft = log === undefined ? name.endsWith(".tmp") : log === unfinished;
      if (isLeft && !isReadOnly) await rm(path, { force: true });
    }
  }
  return segments;
}

function logPath(directory: string, log: number): string {
  return join(directory, `log-${String(log).padStart(8, "0")}`);
}

/** A day without a segment: too old, or damaged. */
function whereMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
}
