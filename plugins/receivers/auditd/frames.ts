// What comes out of auditd's socket to lines: text as it is, or the binary form, told apart by the
// first byte. A binary frame is a header of four 32-bit numbers in host order (version, its own
// length, record type, length of what follows) and the record: in version 0 as the kernel wrote it,
// `audit(…): …`, in version 1 the whole line, as the log has it.

import { Buffer } from "node:buffer";
import { LineSplitter } from "../../sdk/lines.ts";
import type { LineTaker } from "../../sdk/lines.ts";

const HEADER_BYTES = 16;
// The daemon's own limit is 8,970 bytes, and what it adds; more is no frame at all.
const HEADER_BYTES_MAX = 64;

/** Bytes that cannot be a frame: nothing after them can be told apart either. */
export class BrokenStream extends Error {}

/** Takes one connection apart. */
export class FrameSplitter {
  readonly #frameBytesMax: number;
  readonly #lines: LineSplitter;
  #isBinary: boolean | undefined;

  constructor(frameBytesMax: number) {
    this.#frameBytesMax = frameBytesMax;
    this.#lines = new LineSplitter(frameBytesMax);
  }

  /**
   * Hands out what is whole from index `from` on; `base` is the offset of index 0. Returns the
   * index of the first byte that was not used. Throws BrokenStream where the rest is unreadable.
   */
  split(bytes: Uint8Array, from: number, base: number, taker: LineTaker): number {
    // `n` of node=, `t` of type=; a version is a small number.
    if (from < bytes.length) this.#isBinary ??= bytes[from]! < 0x20;
    return this.#isBinary
      ? this.#frames(bytes, from, base, taker)
      : this.#lines.split(bytes, from, base, taker);
  }

  #frames(bytes: Uint8Array, from: number, base: number, taker: LineTaker): number {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = from;
    while (at + HEADER_BYTES <= bytes.length) {
      const [version, header, type, size] = [0, 4, 8, 12].map((n) => view.getUint32(at + n, true));
      const isHeader = version! <= 1 && header! >= HEADER_BYTES && header! <= HEADER_BYTES_MAX;
      if (!isHeader || size! > this.#frameBytesMax) {
        taker.reject(bytes.subarray(at), base + at, "No frame of auditd");
        throw new BrokenStream("Bytes that are no frame of auditd");
      }
      const end = at + header! + size!;
      if (end > bytes.length) return at;
      const record = trimmed(bytes.subarray(at + header!, end));
      const line = version === 1 ? record : asLine(type!, record);
      const isMore = line.length === 0 || taker.line(line, base + at);
      at = end;
      if (!isMore) return at;
    }
    return at;
  }
}

/** Without the line end and the zeros that close a string. */
function trimmed(bytes: Uint8Array): Uint8Array {
  let end = bytes.length;
  while (end > 0 && (bytes[end - 1] === 0 || bytes[end - 1] === 10)) end--;
  return bytes.subarray(0, end);
}

function asLine(type: number, record: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`type=UNKNOWN[${type}] msg=`), record]);
}
