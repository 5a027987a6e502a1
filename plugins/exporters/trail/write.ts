// A planned log file as the bytes that are stored, and as what its digest lists. Both go over the
// text piece by piece: it is never held whole.

import { createHash } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { logFilePieces } from "../../sdk/cloudtrail/log-file.ts";
import { gzipPieces } from "../../sdk/gzip-pieces.ts";
import type { Runtime, StoredRecord } from "../../sdk/index.ts";
import type { DeliveredFile } from "./digest-chain.ts";
import type { PlannedFile } from "./plan.ts";

// Long enough that compression gains nothing by more, short enough to be hashed within a
// millisecond.
const PIECE_BYTES = 1024 * 1024;

/** Puts log files together; keeps the memory for it, and is used by one export at a time. */
export class LogFileWriter {
  readonly #runtime: Pick<Runtime, "deflate">;
  readonly #level: number;
  /** Where a piece of text is put together; not at hand while it is being compressed. */
  #room: Uint8Array | undefined;

  /** `level` is gzip's, 1 to 9. */
  constructor(runtime: Pick<Runtime, "deflate">, level: number) {
    this.#runtime = runtime;
    this.#level = level;
  }

  /** What a digest lists of a file. */
  async describe(file: PlannedFile): Promise<DeliveredFile> {
    const { key, accountId, region, records } = file;
    const hash = createHash("sha256");
    const room = this.#takeRoom();
    for (const piece of logFilePieces(records, room)) {
      hash.update(piece);
      // Others have their turn between two pieces.
      if (piece.length === room.length) await setImmediate();
    }
    this.#room = room;
    return { key, hash: hash.digest("hex"), ...eventTimes(records), accountId, region };
  }

  /** The file's bytes, in pieces; asked for again, the same. */
  async *compress(file: PlannedFile): AsyncGenerator<Uint8Array> {
    const room = this.#takeRoom();
    yield* gzipPieces(this.#runtime, logFilePieces(file.records, room), this.#level);
    this.#room = room;
  }

  /** An export that was given up may still be compressing: its room is not used by another. */
  #takeRoom(): Uint8Array {
    const room = this.#room ?? new Uint8Array(PIECE_BYTES);
    this.#room = undefined;
    return room;
  }
}

function eventTimes(
  records: readonly StoredRecord[],
): Pick<DeliveredFile, "oldestEventTime" | "newestEventTime"> {
  let oldestEventTime = Infinity;
  let newestEventTime = -Infinity;
  for (let i = 0; i < records.length; i++) {
    const { time } = records[i]!;
    if (time < oldestEventTime) oldestEventTime = time;
    if (time > newestEventTime) newestEventTime = time;
  }
  return { oldestEventTime, newestEventTime };
}
