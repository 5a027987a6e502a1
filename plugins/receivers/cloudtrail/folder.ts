// The origin of log files that lie in folders: it looks through them, waits for files that are
// still written, and is woken by changes.

import { Buffer } from "node:buffer";
import { open } from "node:fs/promises";
import type { Position } from "../../sdk/index.ts";
import { FolderWatch } from "../../sdk/follow-wake.ts";
import { pause } from "../../sdk/wait.ts";
import { DoneFiles } from "./done-files.ts";
import { findLogFiles, type ListedFile } from "./find.ts";
import type { Blame, FileEnd, FoundFile, OpenFile, Origin, Round, RoundEnd } from "./origin.ts";
import { WaitingFiles } from "./waiting-files.ts";

// Up to so many files are remembered for good; beyond, only those that are still there.
const REMEMBERED_MAX = 200_000;
// Folders watched: the ones that changed last. The rescan looks at the others.
const WATCHED_MAX = 64;
// Searching takes at most this part of the time: one in 200 when idle, one in 20 when files come.
const IDLE_FACTOR = 200;
const BUSY_FACTOR = 20;

const BLOCK_BYTES = 256 * 1024;
const BLOCK_BYTES_MIN = 4096;

/** Which folders, and how patient to be with them. */
export interface FolderOptions {
  readonly path: string;
  readonly rescanMs: number;
  readonly settleMs: number;
  readonly incompleteMs: number;
  readonly clock: () => number;
  /** Told how many digests and the like a round passed over. */
  onSkipped(count: number): void;
}

/** See above. */
export class FolderOrigin implements Origin {
  readonly name: string;
  // The disk answers at once.
  readonly aheadMax = 0;
  readonly unreadableMax = Infinity;
  readonly progress: DoneFiles;
  readonly #options: FolderOptions;
  readonly #waiting: WaitingFiles;
  readonly #watch = new FolderWatch();
  readonly #closed = new AbortController();
  readonly #listed = new Map<string, ListedFile>();
  #folders = new Map<string, number>();
  #problems = 0;
  /** How long the last round looked at folders, without reading files or waiting for the intake. */
  #lookedMs = 0;
  /** Folders that were watched before the last round: no change in them was missed. */
  #watched: ReadonlySet<string> = new Set();
  /** The last round found folders that were not watched yet. */
  #unwatched = false;
  #poked = false;

  constructor(options: FolderOptions, position: Position | undefined) {
    const { path, settleMs, incompleteMs } = options;
    this.name = `"${path}"`;
    this.#options = options;
    this.progress = new DoneFiles(position, { rememberedMax: REMEMBERED_MAX });
    this.#waiting = new WaitingFiles({ settleMs, incompleteMs });
  }

  begin(): Position {
    return {};
  }

  async *find(round: Round): AsyncGenerator<FoundFile> {
    this.#folders = new Map();
    this.#problems = 0;
    this.#lookedMs = 0;
    this.#unwatched = false;
    this.#poked = false;
    this.progress.beginRound();
    let skipped = 0;
    const found = findLogFiles(this.#options.path, {
      onFolder: (path, modifiedAt) => newest(this.#folders, path, modifiedAt),
      onProblem: (path, code, reason) => {
        this.#problems++;
        // What is not there, or not yet, has nothing to be set aside.
        if (code !== "ENOENT") round.onUnreadable(path, reason);
      },
      onSkipped: () => skipped++,
    });
    let since = performance.now();
    for await (const file of found) {
      this.#lookedMs += performance.now() - since;
      yield* this.#judge(file, round);
      since = performance.now();
    }
    this.#lookedMs += performance.now() - since;
    this.#options.onSkipped(skipped);
  }

  ended({ path }: FoundFile, end: FileEnd): Position {
    const file = this.#listed.get(path);
    this.#listed.delete(path);
    if (end === "done") this.#waiting.delete(path);
    else if (end === "cut" && file !== undefined) {
      this.#waiting.setCut(file, this.#options.clock());
    }
    return {};
  }

  found(): Position {
    // A folder that could not be looked into may still hold what was not met.
    return this.#problems === 0 ? this.progress.endRound() : {};
  }

  async settle(durable: boolean): Promise<RoundEnd> {
    this.#listed.clear();
    if (!durable) return {};
    this.#waiting.endSearch();
    this.#watchFolders(new Set(this.#folders.keys()));
    const { cut } = this.#waiting;
    if (this.#folders.size === 0 && this.#problems > 0) {
      return { waiting: `Nothing is at ${this.name} yet` };
    }
    return cut > 0 ? { degraded: `${cut} files break off: waiting for the rest of them` } : {};
  }

  blame(): Blame {
    return "file";
  }

  async wait(): Promise<void> {
    if (this.#isWanted()) return;
    const { rescanMs } = this.#options;
    const idleMs = Math.min(
      Math.max(rescanMs, IDLE_FACTOR * this.#lookedMs),
      this.#waiting.nextMs,
    );
    if (!this.#unwatched) await this.#watch.wait(idleMs);
    // A drain was asked for, or the receiver stops: neither waits for more files to gather.
    if (this.#isWanted()) return;
    const { signal } = this.#closed;
    await pause(Math.min(BUSY_FACTOR * this.#lookedMs, rescanMs), signal).catch(() => {});
  }

  poke(): void {
    this.#poked = true;
    this.#watch.poke();
  }

  async close(): Promise<void> {
    this.#closed.abort(new Error("Receiver is stopped"));
    this.#watch.close();
  }

  #isWanted(): boolean {
    return this.#poked || this.#closed.signal.aborted;
  }

  *#judge(file: ListedFile, { final }: Round): Generator<FoundFile> {
    const { path, size } = file;
    // An empty one is made for what is to come; should nothing come, it holds nothing to lose.
    if (this.progress.has(path) || size === 0) return;
    const verdict = final ? "final" : this.#waiting.judge(file, this.#options.clock());
    if (verdict === "wait") return;
    this.#listed.set(path, file);
    yield {
      path,
      final: verdict === "final",
      open: () => openFile(path, size),
      finished: () => this.progress.finish(path),
    };
  }

  /**
   * A file that came to a folder between its listing and its watching is found by one round more.
   */
  #watchFolders(folders: ReadonlySet<string>): void {
    this.#watch.watch(folders, new Set());
    this.#unwatched = [...folders].some((folder) => !this.#watched.has(folder));
    this.#watched = folders;
  }
}

function openFile(path: string, size: number): OpenFile {
  return { blocks: readBlocks(path, size), discard: () => {} };
}

/** The file in blocks of its own memory: what is cut out of them is handed on without a copy. */
async function* readBlocks(path: string, size: number): AsyncGenerator<Uint8Array> {
  const file = await open(path, "r");
  try {
    for (let left = size;; left -= BLOCK_BYTES) {
      // Most log files are small: a block no larger than what is left, and a byte to see the end.
      const length = Math.min(BLOCK_BYTES, Math.max(left + 1, BLOCK_BYTES_MIN));
      const block = Buffer.allocUnsafeSlow(length);
      const { bytesRead } = await file.read(block, 0, length);
      if (bytesRead === 0) return;
      yield block.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

/** Keeps the folders that changed last. */
function newest(folders: Map<string, number>, path: string, modifiedAt: number): void {
  folders.set(path, modifiedAt);
  if (folders.size < 2 * WATCHED_MAX) return;
  const sorted = [...folders].sort(([, a], [, b]) => b - a);
  for (const [old] of sorted.slice(WATCHED_MAX)) folders.delete(old);
}
