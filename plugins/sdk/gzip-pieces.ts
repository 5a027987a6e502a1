// One gzip file out of pieces, each compressed off the main thread when the one before is taken, so
// that neither the text nor the file is ever held whole.

import { Buffer } from "node:buffer";
import { crc32 } from "node:zlib";
import type { Runtime } from "./component.ts";

// Magic number, deflate, no name and no time, unknown system: the same on every machine.
const HEAD = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff);
// An empty block, with the mark that it is the last.
const LAST_BLOCK = Uint8Array.of(3, 0);

/**
 * Compresses pieces into one gzip member. A piece is not used any more when the next one is asked
 * for. The same pieces give the same bytes, as long as zlib is the same.
 */
export async function* gzipPieces(
  runtime: Pick<Runtime, "deflate">,
  pieces: Iterable<Uint8Array>,
  level: number,
): AsyncGenerator<Uint8Array> {
  yield HEAD;
  let crc = 0;
  let length = 0;
  for (const piece of pieces) {
    // Node may take one of no bytes for none at all, and begin its sum anew.
    if (piece.length === 0) continue;
    crc = crc32(piece, crc);
    length += piece.length;
    yield await runtime.deflate(piece, level);
  }
  const end = Buffer.alloc(LAST_BLOCK.length + 8);
  end.set(LAST_BLOCK);
  end.writeUInt32LE(crc, LAST_BLOCK.length);
  end.writeUInt32LE(length % 2 ** 32, LAST_BLOCK.length + 4);
  yield end;
}
