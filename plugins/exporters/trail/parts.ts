// Pieces of an object's bytes joined to parts that are long enough to be uploaded one by one.

import { Buffer } from "node:buffer";
import type { ObjectBody } from "./store.ts";

/** A part of an object. */
export interface Part {
  readonly bytes: Uint8Array;
  readonly isLast: boolean;
}

/**
 * Gives the parts of an object, each of `bytesMin` bytes or a piece more, but for the last, which
 * is the only one of a short object. Holds one part at a time.
 */
export async function* partsOf(body: ObjectBody, bytesMin: number): AsyncGenerator<Part> {
  let pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of body instanceof Uint8Array ? [body] : body) {
    if (bytes >= bytesMin) {
      yield { bytes: Buffer.concat(pieces), isLast: false };
      pieces = [];
      bytes = 0;
    }
    pieces.push(piece);
    bytes += piece.length;
  }
  yield { bytes: pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces), isLast: true };
}
