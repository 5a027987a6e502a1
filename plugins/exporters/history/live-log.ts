// The log that takes new events: appended to and synced batch by batch, its columns in memory, until
// it is sealed. Formats: frame.ts, rows.ts.

import { constants } from "node:fs";
import { type FileHandle, open, readFile, stat, truncate } from "node:fs/promises";
import { atomicFileCalls, writeFileAtomic } from "../../sdk/atomic-file.ts";
import type { Runtime, StoredRecord } from "../../sdk/index.ts";
import { type BatchIdentity, type Damage, encodeFrame, readFrames } from "./frame.ts";
import { type Part, type PartColumn, PartGoneError, type TellDamage } from "./part.ts";
import { DAY_MS, Rows, timeOf } from "./rows.ts";
import { unzip } from "./unzip.ts";

// Large enough to compress well, small enough to read one event out of: 0.3 ms. A call of gzip costs as
// much as 60 KiB do, on both runtimes.
const BLOCK_TEXT_BYTES = 196_608;
// 4.8 times smaller for half the work of the default level.
const GZIP_LEVEL = 1;
const LINE_END = Uint8Array.of(0x0a);

/** Where a block is in the file, and what of. */
export interface BlockPlace {
  readonly day: number;
  readonly at: number;
  readonly bytes: number;
  readonly textBytes: number;
}

/** How a log begins. */
export interface LogBeginning {
  readonly log: number;
  readonly begunAt: number;
  /** The last batch before it. */
  readonly batch?: BatchIdentity | undefined;
}

/** The log. One call of `append` at a time. */
export class LiveLog implements Part {
  readonly path: string;
  readonly log: number;
  readonly begunAt: number;
  readonly #file: FileHandle;
  readonly #tell: TellDamage;
  readonly #table = new Rows();
  /** By number; one that was destroyed is missing. */
  readonly #blocks: BlockPlace[] = [];
  #batch: BatchIdentity | undefined;
  #length: number;
  /** The file may be longer than `#length`: a write failed, and so did cutting it. */
  #isDirty = false;
  #isClosed = false;

  private constructor(
    path: string,
    file: FileHandle,
    { log, begunAt, batch }: LogBeginning,
    length: number,
    tell: TellDamage,
  ) {
    this.path = path;
    this.#file = file;
    this.log = log;
    this.begunAt = begunAt;
    this.#batch = batch;
    this.#length = length;
    this.#tell = tell;
  }

  /** Begins a log; resolves when it is on the disk. */
  static async begin(path: string, about: LogBeginning, tell: TellDamage): Promise<LiveLog> {
    const head = { ...about, row: 0, block: 0, columns: 0, blocks: [] };
    const bytes = encodeFrame(head, new Uint8Array(), []);
    await writeFileAtomic(path, bytes, { mode: 0o600 });
    return new LiveLog(path, await open(path, "r+"), about, bytes.length, tell);
  }

  /**
   * Opens a log that is there; undefined where nothing in it can be read. A torn end is cut, unless
   * it is only to be read. Damage is told, and kept for whoever wants to look at it.
   */
  static async open(
    path: string,
    isReadOnly: boolean,
    tell: TellDamage,
  ): Promise<LiveLog | undefined> {
    const bytes = await readFile(path);
    let opened: LiveLog | undefined;
    let damaged = false;
    let end = 0;
    for (const part of readFrames(bytes)) {
      if (!("head" in part)) {
        tellOf(part, path, tell);
        damaged ||= !part.isTorn;
        continue;
      }
      end = part.end;
      if (opened === undefined) {
        const flags = isReadOnly ? constants.O_RDONLY : constants.O_RDWR;
        opened = new LiveLog(path, await open(path, flags), part.head, end, tell);
      }
      opened.#take(part.head, part.columns, part.blocksAt);
    }
    if (damaged && !isReadOnly) await writeFileAtomic(`${path}.broken`, bytes, { mode: 0o600 });
    if (opened === undefined) return undefined;
    opened.#length = end;
    if (end < bytes.length && !isReadOnly) await truncate(path, end);
    return opened;
  }

  /** The batch that it took last, or the last one before it. */
  get batch(): BatchIdentity | undefined {
    return this.#batch;
  }

  get name(): string {
    return this.path;
  }

  get rows(): number {
    return this.#table.length;
  }

  get oldest(): number {
    return this.#table.oldest;
  }

  get newest(): number {
    return this.#table.newest;
  }

  /** Bytes of the file. */
  get bytes(): number {
    return this.#length;
  }

  /** Where each block is; not to be changed. */
  get blocks(): readonly (BlockPlace | undefined)[] {
    return this.#blocks;
  }

  async column(name: PartColumn): Promise<Uint32Array> {
    if (name !== "row") return this.#table.column(name);
    return Uint32Array.from({ length: this.rows }, (_, row) => row);
  }

  /** Whether the file still stands under its path: what is written to another one is lost. */
  async isThere(): Promise<boolean> {
    const [own, there] = await Promise.all([
      this.#file.stat(),
      stat(this.path).catch(() => undefined),
    ]);
    return there?.ino === own.ino && there.dev === own.dev;
  }

  /** The bytes of a block as they are in the file. */
  async read({ at, bytes }: BlockPlace): Promise<Uint8Array> {
    const read = new Uint8Array(bytes);
    try {
      await this.#file.read(read, 0, bytes, at);
    } catch (error) {
      if (this.#isClosed) throw new PartGoneError(`"${this.path}" is sealed`, { cause: error });
      throw error;
    }
    return read;
  }

  async block(block: number): Promise<Uint8Array | undefined> {
    const place = this.#blocks[block];
    if (place === undefined) return undefined;
    try {
      return unzip(await this.read(place));
    } catch (error) {
      if (error instanceof PartGoneError) throw error;
      this.#tell(this.path, `block ${block}: ${error instanceof Error ? error.message : error}`);
      return undefined;
    }
  }

  /** Takes a batch; resolves when it is on the disk. Where it rejects, nothing was taken. */
  async append(
    batch: BatchIdentity,
    records: readonly StoredRecord[],
    gzip: Runtime["gzip"],
  ): Promise<void> {
    if (this.#isDirty) await this.#cut();
    try {
      const { days, texts } = this.#arrange(records);
      const blocks: Uint8Array[] = [];
      // One after the other: the memory of each serves the next, which is a third of the work.
      for (const { chunks } of texts) blocks.push(await gzip(chunks, GZIP_LEVEL));
      const columns = this.#table.encodeAdded();
      const head = {
        log: this.log,
        begunAt: this.begunAt,
        batch,
        row: this.rows,
        block: this.#blocks.length,
        columns: columns.length,
        blocks: blocks.map((bytes, i) => [days[i]!, bytes.length, texts[i]!.bytes] as const),
      };
      const bytes = encodeFrame(head, columns, blocks);
      await this.#write(bytes);
      this.#table.commit();
      this.#keep(head.block, head.blocks, this.#length - sum(blocks));
      this.#batch = batch;
    } catch (error) {
      this.#table.rollBack();
      throw error;
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#file.close();
  }

  /** Adds the rows of records to the table, and their texts to blocks, each of one day. */
  #arrange(records: readonly StoredRecord[]): { days: number[]; texts: BlockText[] } {
    const days: number[] = [];
    const texts: BlockText[] = [];
    const open = new Map<number, number>();
    for (const record of records) {
      const day = Math.floor(timeOf(record) / DAY_MS);
      let index = open.get(day);
      if (index === undefined || texts[index]!.bytes >= BLOCK_TEXT_BYTES) {
        index = texts.push({ chunks: [], bytes: 0 }) - 1;
        days.push(day);
        open.set(day, index);
      }
      const text = texts[index]!;
      this.#table.add(record, this.#blocks.length + index, text.bytes);
      text.chunks.push(record.bytes, LINE_END);
      text.bytes += record.bytes.length + 1;
    }
    return { days, texts };
  }

  async #write(bytes: Uint8Array): Promise<void> {
    try {
      let done = 0;
      while (done < bytes.length) {
        const at = this.#length + done;
        done += (await this.#file.write(bytes, done, bytes.length - done, at)).bytesWritten;
      }
      await this.#file.datasync();
      this.#length += bytes.length;
    } catch (error) {
      // Half a frame is of no use; should this fail as well, the next batch tries again.
      this.#isDirty = true;
      await this.#cut().catch(() => {});
      throw error;
    }
  }

  async #cut(): Promise<void> {
    await this.#file.truncate(this.#length);
    this.#isDirty = false;
  }

  #take(head: Parameters<typeof encodeFrame>[0], columns: Uint8Array, blocksAt: number): void {
    if (head.columns > 0) this.#table.append(columns, head.row);
    this.#keep(head.block, head.blocks, blocksAt);
    this.#batch = head.batch;
  }

  #keep(first: number, blocks: Parameters<typeof encodeFrame>[0]["blocks"], from: number): void {
    let at = from;
    for (const [i, [day, bytes, textBytes]] of blocks.entries()) {
      this.#blocks[first + i] = { day, at, bytes, textBytes };
      at += bytes;
    }
  }
}

interface BlockText {
  readonly chunks: Uint8Array[];
  bytes: number;
}

function sum(blocks: readonly Uint8Array[]): number {
  return blocks.reduce((total, { length }) => total + length, 0);
}

function tellOf({ at, bytes, isTorn }: Damage, path: string, tell: TellDamage): void {
  if (!isTorn) tell(path, `${bytes} bytes from ${at} on are no whole frame`);
}

/** Removes a log's file; resolves when its name is gone from the disk. */
export async function removeLog(path: string, folder: string): Promise<void> {
  await atomicFileCalls.remove(path);
  await atomicFileCalls.syncFolder(folder);
}
