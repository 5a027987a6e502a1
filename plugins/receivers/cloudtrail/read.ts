// Reads one log file from where its position stands: records to the batches, everything else aside.

import { Buffer } from "node:buffer";
import { open } from "node:fs/promises";
import { readLogFile } from "../../sdk/cloudtrail/log-file-reader.ts";
import { beginsAsRecord, parseRecord } from "../../sdk/cloudtrail/parse-record.ts";
import { EXCERPT_BYTES_MAX, type Span } from "../../sdk/cloudtrail/span.ts";
import { RejectedInput } from "../../sdk/index.ts";
import { type Batches, identityOf } from "./batch.ts";
import type { DoneFiles } from "./done-files.ts";
import type { FoundFile } from "./find.ts";

const BLOCK_BYTES = 256 * 1024;
const BLOCK_BYTES_MIN = 4096;

/** What a reader needs beside the file. */
export interface ReadContext {
  readonly batches: Batches;
  readonly done: DoneFiles;
  readonly signal: AbortSignal;
  /** A file that breaks off is as it will stay: its rest is set aside. */
  readonly final: boolean;
  /** Told of digests, which hold no records. */
  onSkipped(path: string): void;
}

/**
 * Takes all of a file that is not taken yet. True when the file is done; false when it breaks off
 * and is not final: its whole records are taken, and it is to be read again when it has grown.
 * Rejects with the system's error where the file cannot be read; what was read before is taken.
 */
export async function takeLogFile(file: FoundFile, context: ReadContext): Promise<boolean> {
  const { batches, done, signal } = context;
  const { path } = file;
  const before = done.taken(path);
  const progress = { pieces: 0, before };
  try {
    for await (const spans of readLogFile(readBlocks(file))) {
      signal.throwIfAborted();
      if (!await takeSpans(file, spans, progress, context)) return false;
    }
  } finally {
    // Whatever becomes of the file, the records in the batch do not travel without their position.
    if (progress.pieces > before) batches.move(done.take(path, progress.pieces));
  }
  if (batches.move(done.finish(path))) await batches.flush();
  return true;
}

interface Progress {
  /** Pieces of the file that are taken. */
  pieces: number;
  /** How many of them were taken in an earlier run. */
  readonly before: number;
}

/** False where the file breaks off, and more of it is waited for. */
async function takeSpans(
  file: FoundFile,
  spans: readonly Span[],
  progress: Progress,
  context: ReadContext,
): Promise<boolean> {
  for (const span of spans) {
    if (span.cut && !context.final) return false;
    if (progress.pieces >= progress.before) await takeSpan(file, span, progress.pieces, context);
    progress.pieces++;
  }
  return true;
}

/** Takes one piece, before which `pieces` of its file are taken. */
async function takeSpan(
  file: FoundFile,
  span: Span,
  pieces: number,
  { batches, done, onSkipped }: ReadContext,
): Promise<void> {
  const { path } = file;
  const { offset } = span;
  const text = span.problem === undefined ? textOf(span.bytes) : new RejectedInput(span.problem);
  if (text instanceof RejectedInput) {
    if (pieces > 0) batches.move(done.take(path, pieces));
    const raw = span.bytes.length > 0 ? span.bytes : await beginning(file);
    await batches.reject(
      raw.subarray(0, EXCERPT_BYTES_MAX),
      `${text.message}: at byte ${offset} of "${path}"`,
      identityOf(path, offset),
      done.take(path, pieces + 1),
    );
  } else if (text === undefined) onSkipped(path);
  else if (batches.add({ text, path, offset })) {
    batches.move(done.take(path, pieces + 1));
    await batches.flush();
  }
}

/** A record's text without what it is wrapped in; undefined for a digest. */
function textOf(span: Uint8Array): Uint8Array | RejectedInput | undefined {
  if (beginsAsRecord(span)) return span;
  try {
    const { record, bytes } = parseRecord(span);
    const isDigest = record.eventVersion === undefined && typeof record.digestS3Object === "string";
    return isDigest ? undefined : bytes;
  } catch (error) {
    if (error instanceof RejectedInput) return error;
    throw error;
  }
}

/** The file in blocks of its own memory: what is cut out of them is handed on without a copy. */
async function* readBlocks({ path, size }: FoundFile): AsyncGenerator<Uint8Array> {
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

/** The file's own first bytes, for one that nothing could be read out of. */
async function beginning(file: FoundFile): Promise<Uint8Array> {
  for await (const block of readBlocks(file)) return block;
  return new Uint8Array(0);
}
