// Reads a delivered file, plain or gzip, into the texts of its records. What breaks off is said
// with the records before it already given.

import { gunzipBlocks, GunzipError, isGzip } from "../gunzip.ts";
import { RecordSplitter } from "./record-splitter.ts";
import type { Span, SplitLimits } from "./span.ts";

/**
 * Gives the spans of a file that comes in blocks, in order. Gzip is known by its first bytes, not
 * by a name. A file that breaks off gives one last span with a `problem`, `cut` where more may
 * come.
 */
export async function* readLogFile(
  blocks: AsyncIterable<Uint8Array>,
  limits: Partial<SplitLimits> = {},
): AsyncGenerator<readonly Span[]> {
  const splitter = new RecordSplitter(limits);
  let bytes = 0;
  let failure: GunzipError | undefined;
  try {
    for await (const block of plain(blocks)) {
      bytes += block.length;
      const spans = splitter.push(block);
      if (spans.length > 0) yield spans;
      if (splitter.stopped) break;
    }
  } catch (error) {
    if (!(error instanceof GunzipError)) throw error;
    failure = error;
  }
  const rest = splitter.end();
  if (failure === undefined) yield rest;
  else {
    const left = rest[0] ?? { offset: bytes, bytes: new Uint8Array(0) };
    yield [{ ...left, problem: failure.message, cut: failure.cut }];
  }
}

async function* plain(blocks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const iterator = blocks[Symbol.asyncIterator]();
  const first = await iterator.next();
  if (first.done) return;
  const all = prepend(first.value, iterator);
  yield* isGzip(first.value) ? gunzipBlocks(all) : all;
}

async function* prepend(
  first: Uint8Array,
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    yield first;
    for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}
