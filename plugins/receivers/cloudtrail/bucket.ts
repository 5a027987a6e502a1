// The origin of log files in a bucket. Below `AWSLogs/…/CloudTrail/<region>/` keys are in order of
// the day they were delivered, so that only the last days are listed; for each of these folders the
// position holds the last key before them. All other folders are listed whole.

import type { Position } from "../../sdk/index.ts";
import type { ListedObject, S3 } from "../../sdk/aws/s3.ts";
import { pause } from "../../sdk/wait.ts";
import { DoneFiles, nameOf } from "./done-files.ts";
import type { Blame, FileEnd, FoundFile, Origin, Round, RoundEnd } from "./origin.ts";
import { blameStore, kindOf, openObject, s3Path } from "./stores.ts";

/** Which part of a bucket, from when on. */
export interface BucketOptions {
  readonly store: S3;
  readonly bucket: string;
  readonly prefix: string;
  /** Objects that were written before are left alone; in milliseconds since the epoch. */
  readonly since: number | undefined;
  /** How long after its end a day's folder is listed. */
  readonly lateMs: number;
  readonly pollMs: number;
  readonly clock: () => number;
  readonly withDigests: boolean;
}

// Beyond so many, only objects of the last days and of folders that are listed whole.
const REMEMBERED_MAX = 20_000;
const AHEAD_MAX = 4;
const UNREADABLE_MAX = 100;
const DEPTH_MAX = 64;

const BRANCH = new RegExp(
  "^(?:.*/)?AWSLogs/(?:o-[a-z0-9]+/)?\\d{12}/CloudTrail(?:-[A-Za-z]+)?/[A-Za-z0-9-]+/",
);
const NO_LOG_FILES = /(^|\/)CloudTrail-Lake\/$/;
const DIGESTS = /(^|\/)CloudTrail-Digest\/$/;

/** Keys of the position: where a branch is, what was left there, and when all began. */
const AT = "at.";
const LEFT = "left.";
const SINCE = "since";

/** See above. */
export class BucketOrigin implements Origin {
  readonly name: string;
  readonly aheadMax = AHEAD_MAX;
  readonly unreadableMax = UNREADABLE_MAX;
  readonly progress: DoneFiles;
  readonly #options: BucketOptions;
  readonly #since: number;
  /** By branch, the last key up to which everything is taken or left. */
  readonly #at = new Map<string, string>();
  /** Keys up to there that could not be read, by the hash of their paths. */
  readonly #left = new Map<string, string>();
  /** Branches of files that are given and not ended, where their order is the position. */
  readonly #ordered = new Map<string, string>();
  /** By branch, the last key that needed no reading, or was given. */
  #passed = new Map<string, string>();
  #listed = 0;
  #wake = new AbortController();
  #isClosed = false;

  constructor(options: BucketOptions, position: Position = {}) {
    const { bucket, prefix } = options;
    this.name = `"${s3Path(bucket, prefix)}"`;
    this.#options = options;
    this.progress = new DoneFiles(position, { rememberedMax: REMEMBERED_MAX });
    for (const [key, value] of Object.entries(position)) {
      if (typeof value !== "string") continue;
      if (key.startsWith(AT)) this.#at.set(key.slice(AT.length), value);
      else if (key.startsWith(LEFT)) this.#left.set(key.slice(LEFT.length), value);
    }
    const began = position[SINCE];
    this.#since = typeof began === "number" ? began : options.since ?? -Infinity;
  }

  begin(): Position {
    return this.#since === -Infinity ? {} : { [SINCE]: this.#since };
  }

  async *find({ signal }: Round): AsyncGenerator<FoundFile> {
    this.#passed = new Map();
    this.#ordered.clear();
    this.#listed = 0;
    this.progress.beginRound();
    for (const [name, key] of [...this.#left]) {
      yield this.#file(key, signal, () => {
        this.#left.delete(name);
        return { [LEFT + name]: null, ...this.progress.drop(this.#path(key)) };
      });
    }
    yield* this.#walk(this.#options.prefix, 0, signal);
  }

  ended({ path }: FoundFile, end: FileEnd): Position {
    const branch = this.#ordered.get(path);
    this.#ordered.delete(path);
    if (branch === undefined || end !== "unreadable") return {};
    const { text, bucket } = nameOf(path);
    const key = path.slice(this.#path("").length);
    this.#left.set(bucket + text, key);
    return { [LEFT + bucket + text]: key, ...this.#moveTo(branch, key) };
  }

  found(): Position {
    const moved: Record<string, Position[string]> = {};
    for (const [branch, key] of this.#passed) {
      if (key > (this.#at.get(branch) ?? "")) Object.assign(moved, this.#moveTo(branch, key));
    }
    return { ...moved, ...this.progress.endRound() };
  }

  settle(durable: boolean): Promise<RoundEnd> {
    const nothing = durable && this.#listed === 0 && this.#at.size === 0;
    return Promise.resolve(nothing ? { waiting: `Nothing is at ${this.name} yet` } : {});
  }

  blame(error: unknown): Blame {
    return blameStore(error, true);
  }

  async wait(): Promise<void> {
    if (!this.#isClosed) await pause(this.#options.pollMs, this.#wake.signal).catch(() => {});
    this.#wake = new AbortController();
  }

  poke(): void {
    this.#wake.abort(new Error("Woken"));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.poke();
    await this.#options.store.close();
  }

  async *#walk(prefix: string, depth: number, signal: AbortSignal): AsyncGenerator<FoundFile> {
    const root = BRANCH.exec(prefix)?.[0];
    if (root !== undefined) return yield* this.#walkBranch(root, prefix, signal);
    const { store, bucket, withDigests } = this.#options;
    for await (const page of store.list({ bucket, prefix, delimiter: "/" }, signal)) {
      for (const object of page.objects) {
        if (this.#isWanted(object)) yield* this.#open(object.key, signal);
      }
      for (const folder of page.folders) {
        if (NO_LOG_FILES.test(folder) || (DIGESTS.test(folder) && !withDigests)) continue;
        if (depth < DEPTH_MAX) yield* this.#walk(folder, depth + 1, signal);
      }
    }
  }

  async *#walkBranch(
    root: string,
    prefix: string,
    signal: AbortSignal,
  ): AsyncGenerator<FoundFile> {
    const { store, bucket, lateMs, clock } = this.#options;
    const { bucket: start, text } = nameOf(this.#path(root));
    const branch = start + text;
    const settled = root + dayOf(clock() - lateMs);
    const first = this.#since === -Infinity ? "" : root + dayOf(this.#since);
    const at = this.#at.get(branch) ?? "";
    const startAfter = at > first ? at : first;
    const from = startAfter === "" ? {} : { startAfter };
    for await (const { objects } of store.list({ bucket, prefix, ...from }, signal)) {
      for (const object of objects) {
        const { key } = object;
        const isWanted = this.#isWanted(object);
        // Nothing comes in among settled ones: they are taken in order, and the last is enough.
        const isSettled = key < settled;
        if (isWanted && !isSettled) yield* this.#open(key, signal);
        else if (isWanted) yield* this.#next(branch, key, signal);
        if (isSettled) this.#passed.set(branch, key);
      }
    }
  }

  /** An object among which others may still come: each is remembered. */
  *#open(key: string, signal: AbortSignal): Generator<FoundFile> {
    const path = this.#path(key);
    if (this.progress.has(path)) return;
    yield this.#file(key, signal, () => this.progress.finish(path));
  }

  /** The next object of those that are taken in order. */
  *#next(branch: string, key: string, signal: AbortSignal): Generator<FoundFile> {
    const path = this.#path(key);
    // Taken when it was among the last ones.
    if (this.progress.has(path)) return;
    this.#ordered.set(path, branch);
    yield this.#file(key, signal, () => ({
      ...this.#moveTo(branch, key),
      ...this.progress.drop(path),
    }));
  }

  #file(key: string, signal: AbortSignal, finished: () => Position): FoundFile {
    const { store, bucket } = this.#options;
    return {
      path: this.#path(key),
      // An object is there as a whole or not at all.
      final: true,
      isDigest: kindOf(key) === "digest",
      open: () => openObject(store, bucket, key, signal),
      finished,
    };
  }

  #moveTo(branch: string, key: string): Position {
    this.#at.set(branch, key);
    return { [AT + branch]: key };
  }

  #isWanted({ key, size, modifiedAt }: ListedObject): boolean {
    this.#listed++;
    const kind = kindOf(key);
    return size > 0 && modifiedAt >= this.#since &&
      (kind === "log" || (kind === "digest" && this.#options.withDigests));
  }

  #path(key: string): string {
    return s3Path(this.#options.bucket, key);
  }
}

/** A day's folder, in UTC. */
function dayOf(ms: number): string {
  return new Date(Math.max(0, ms)).toISOString().slice(0, 10).replaceAll("-", "/");
}
