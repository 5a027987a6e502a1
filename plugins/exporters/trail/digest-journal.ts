// The journal of digests: what was delivered and is in no digest yet, and what was decided, durable
// before anybody counts on it. A file that is added to, and written anew when it has grown.

import { Buffer } from "node:buffer";
import { copyFile, type FileHandle, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { atomicFileCalls, makeFolderDurable, writeFileAtomic } from "../../sdk/atomic-file.ts";
import { type Log, RetryableError } from "../../sdk/index.ts";
import { diskError } from "../../sdk/disk-error.ts";
import type { DeliveredFile } from "./digest-chain.ts";
import {
  type Chain,
  formatLine,
  JournalState,
  type Line,
  parseLine,
  type PlannedDigest,
  wholeSecond,
} from "./journal-line.ts";

const FILE = "journal";
// Bounds the memory, about 500 bytes a file: months of a bucket that takes log files but no digest.
const FILES_MAX = 100_000;
// An organization of a few hundred accounts in every region.
const CHAINS_MAX = 10_000;
// Written anew beyond that, and beyond four times of what it held then.
const COMPACT_BYTES = 1024 * 1024;

/** Adds lines to the end of a file; resolves when they are on the disk. Replaced by crash tests. */
export type AppendSynced = (file: FileHandle, bytes: Uint8Array) => Promise<void>;

const appendSynced: AppendSynced = async (file, bytes) => {
  await file.appendFile(bytes);
  await file.datasync();
};

/** How to open a journal. */
export interface JournalOptions {
  /** Made where it is missing. */
  readonly directory: string;
  readonly log: Log;
  readonly append?: AppendSynced;
  /** How many files may wait for digests; 100,000 by default. */
  readonly filesMax?: number;
  /** How large it gets before it is written anew; 1 MiB by default. */
  readonly compactBytes?: number;
}

/** See above. Everything that writes is rejected with a RetryableError where it is not durable. */
export class DigestJournal {
  readonly #path: string;
  readonly #options: JournalOptions;
  readonly #state: JournalState;
  #file: FileHandle | undefined;
  #bytes: number;
  #compactBytes: number;
  #isTorn = false;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(options: JournalOptions, state: JournalState, bytes: number) {
    this.#options = options;
    this.#path = join(options.directory, FILE);
    this.#state = state;
    this.#bytes = bytes;
    this.#compactBytes = options.compactBytes ?? COMPACT_BYTES;
  }

  /** Reads what is there. A line cut short at the end is forgotten; damage is set aside and told. */
  static async open(options: JournalOptions): Promise<DigestJournal> {
    const { directory, log } = options;
    const path = join(directory, FILE);
    try {
      await makeFolderDurable(directory, { mode: 0o700 });
      const { state, bytes, damaged, isTorn } = await readJournal(path);
      if (damaged > 0) {
        await copyFile(path, `${path}.broken`);
        log.error("Lines of the digests' journal are damaged: files may be in no digest", {
          lines: damaged,
          file: `${path}.broken`,
        });
      }
      const journal = new DigestJournal(options, state, bytes);
      if (damaged > 0 || isTorn || bytes > COMPACT_BYTES) await journal.#compact();
      return journal;
    } catch (error) {
      throw diskError("open journal of digests", path, error);
    }
  }

  /** All chains, in the order they began. */
  chains(): readonly Chain[] {
    return [...this.#state.chains.values()];
  }

  /** Begins a chain, unless there is one; its first digest's time ends then. */
  begin(accountId: string, region: string, end: number): Promise<void> {
    return this.#write(() => {
      const isNew = !this.#state.chains.has(`${accountId}/${region}`);
      return isNew ? [["chain", accountId, region, wholeSecond(end), null]] : [];
    });
  }

  /** Notes files that are delivered now; those of a new account or region begin a chain. */
  note(files: readonly DeliveredFile[], now: number): Promise<void> {
    return this.#write(() => {
      const { chains, recent, waiting } = this.#state;
      const lines: Line[] = [];
      const begun = new Set<string>();
      for (const file of files) {
        const { accountId, region, key, hash, oldestEventTime, newestEventTime } = file;
        if (recent.has(key)) continue;
        const id = `${accountId}/${region}`;
        const end = chains.get(id)?.plan?.head.end ?? chains.get(id)?.end ?? wholeSecond(now);
        if (!chains.has(id) && !begun.has(id)) {
          begun.add(id);
          lines.push(["chain", accountId, region, end, null]);
        }
        const at = Math.max(now, end);
        lines.push(["file", accountId, region, at, key, hash, oldestEventTime, newestEventTime]);
      }
      const { filesMax = FILES_MAX } = this.#options;
      if (lines.length > 0 && waiting + lines.length - begun.size > filesMax) {
        throw new RetryableError(
          `Cannot note delivered files: ${waiting} wait for digests, which cannot be written`,
        );
      }
      if (chains.size + begun.size > CHAINS_MAX) {
        throw new RetryableError(
          `Cannot note delivered files: they have more than ${CHAINS_MAX} accounts and regions`,
        );
      }
      return lines;
    });
  }

  /** Decides a chain's next digest. */
  plan({ accountId, region }: Chain, plan: PlannedDigest): Promise<void> {
    return this.#write(() => [["plan", accountId, region, plan]]);
  }

  /** The planned digest of a chain is stored. */
  async stored({ accountId, region }: Chain, { head, files }: PlannedDigest): Promise<void> {
    await this.#write(() => [["digest", accountId, region, head, files]]);
    if (this.#bytes > this.#compactBytes) await this.#compactNext();
  }

  /** Lets go of the file when what is under way has ended. Safe to call twice. */
  async close(): Promise<void> {
    await this.#last.catch(() => {});
    await this.#file?.close();
    this.#file = undefined;
  }

  /** One after the other: the lines are made of what those before have changed. */
  #write(make: () => readonly Line[]): Promise<void> {
    const written = this.#last.catch(() => {}).then(async () => {
      const lines = make();
      if (lines.length === 0) return;
      const bytes = Buffer.from(lines.map(formatLine).join(""));
      try {
        this.#file ??= await open(this.#path, "a", 0o600);
        // Somebody took the folder away: all is written anew.
        if ((await this.#file.stat()).nlink === 0) await this.#compact();
        this.#file ??= await open(this.#path, "a", 0o600);
        // What a failed write left of its lines counts for nothing, and is no damage.
        if (this.#isTorn) await this.#file.truncate(this.#bytes);
        this.#isTorn = true;
        await (this.#options.append ?? appendSynced)(this.#file, bytes);
      } catch (error) {
        throw diskError("write journal of digests", this.#path, error);
      }
      this.#isTorn = false;
      this.#bytes += bytes.length;
      for (const line of lines) this.#state.apply(line);
    });
    this.#last = written;
    return written;
  }

  #compactNext(): Promise<void> {
    const compacted = this.#last.catch(() => {}).then(() => this.#compact()).catch((error) => {
      throw diskError("write journal of digests", this.#path, error);
    });
    this.#last = compacted;
    return compacted;
  }

  async #compact(): Promise<void> {
    const bytes = Buffer.from([...this.#state.lines()].map(formatLine).join(""));
    await makeFolderDurable(this.#options.directory, { mode: 0o700 });
    await writeFileAtomic(this.#path, bytes, { mode: 0o600 });
    // Whatever is written from now on belongs into the new file.
    await this.#file?.close();
    this.#file = undefined;
    await atomicFileCalls.syncFolder(this.#options.directory);
    this.#bytes = bytes.length;
    const { compactBytes = COMPACT_BYTES } = this.#options;
    this.#compactBytes = Math.max(compactBytes, 4 * bytes.length);
  }
}

/** The chains that a journal holds, for those who only look; none where there is no journal. */
export async function readChains(directory: string): Promise<readonly Chain[]> {
  return [...(await readJournal(join(directory, FILE))).state.chains.values()];
}

interface ReadJournal {
  readonly state: JournalState;
  readonly bytes: number;
  readonly damaged: number;
  /** Its last line is cut short. */
  readonly isTorn: boolean;
}

async function readJournal(path: string): Promise<ReadJournal> {
  const state = new JournalState();
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return Buffer.alloc(0);
    throw error;
  });
  let damaged = 0;
  let from = 0;
  for (let to = bytes.indexOf(10); to >= 0; to = bytes.indexOf(10, from)) {
    const line = parseLine(bytes.subarray(from, to));
    if (line !== undefined) state.apply(line);
    else if (to > from) damaged++;
    from = to + 1;
  }
  return { state, bytes: bytes.length, damaged, isTorn: from < bytes.length };
}
