// What comes out of auditd's socket to lines: text as it is, or the binary form, told apart by the
// first byte. A binary frame is a header of four 32-bit numbers in host order (version, its own
// length, record type, length of the record) and the record: in version 0 as the kernel wrote it,
// `audit(…): …`, in version 1 the whole line, as the log has it. The daemon's own plugin sends its
// whole buffer after each header, however short the record; later ones send the record alone.

import { Buffer } from "node:buffer";
import { endianness } from "node:os";
import { LineSplitter } from "../../sdk/lines.ts";
import type { LineTaker } from "../../sdk/lines.ts";

const HEADER_BYTES = 16;
const HEADER_BYTES_MAX = 64;
// The buffer: MAX_AUDIT_MESSAGE_LENGTH of libaudit.h.
const BUFFER_BYTES = 8970;
// Netlink's are 16 bits wide.
const TYPE_MAX = 65_535;
const LITTLE_ENDIAN = endianness() === "LE";

/** Bytes that cannot be a frame: nothing after them can be told apart either. */
export class BrokenStream extends Error {}

/** Takes one connection apart. */
export class FrameSplitter {
  readonly #frameBytesMax: number;
  readonly #lines: LineSplitter;
  #isBinary: boolean | undefined;
  // Whether the daemon sends whole buffers; unknown until the second header.
  #isPadded: boolean | undefined;
  #rest = 0;

  constructor(frameBytesMax: number) {
    this.#frameBytesMax = frameBytesMax;
    this.#lines = new LineSplitter(frameBytesMax);
  }

  /**
   * Hands out what is whole from index `from` on; `base` is the offset of index 0. Returns the
   * index of the first byte that was not used. Throws BrokenStream where the rest is unreadable.
   */
  split(bytes: Uint8Array, from: number, base: number, taker: LineTaker): number {
    if (this.#isBinary === undefined) {
      // No text begins with such a byte; a header is known by its first half.
      const isText = from < bytes.length && bytes[from]! > 1;
      if (!isText && bytes.length - from < HEADER_BYTES) return from;
      this.#isBinary = !isText && this.#isHeader(bytes, from);
    }
    return this.#isBinary
      ? this.#frames(bytes, from, base, taker)
      : this.#lines.split(bytes, from, base, taker);
  }

  #isHeader(bytes: Uint8Array, at: number): boolean {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return readHeader(view, at, this.#frameBytesMax) !== undefined;
  }

  #frames(bytes: Uint8Array, from: number, base: number, taker: LineTaker): number {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = this.#pass(view, from);
    while (at + HEADER_BYTES <= bytes.length) {
      const header = readHeader(view, at, this.#frameBytesMax);
      if (header === undefined) {
        taker.reject(bytes.subarray(at), base + at, "No frame of auditd");
        throw new BrokenStream("Bytes that are no frame of auditd");
      }
      const start = at + header.length;
      const end = start + header.size;
      if (end > bytes.length) return at;
      const record = trimmed(bytes.subarray(start, end));
      const line = header.version === 1 ? record : asLine(header.type, record);
      const isMore = line.length === 0 || taker.line(line, base + at);
      this.#rest = BUFFER_BYTES - header.size;
      at = this.#pass(view, end);
      if (!isMore) return at;
    }
    return at;
  }

  /** Passes over what is left of the buffer; whether it was sent, the next header shows. */
  #pass(view: DataView, from: number): number {
    if (this.#isPadded === undefined && this.#rest > 0) {
      if (from + HEADER_BYTES > view.byteLength) return from;
      this.#isPadded = readHeader(view, from, this.#frameBytesMax) === undefined;
    }
    if (!this.#isPadded || this.#rest <= 0) return from;
    const passed = Math.min(this.#rest, view.byteLength - from);
    this.#rest -= passed;
    return from + passed;
  }
}

interface Header {
  readonly version: number;
  readonly length: number;
  readonly type: number;
  readonly size: number;
}

/** The header at an index; undefined where there is none. */
function readHeader(view: DataView, at: number, sizeMax: number): Header | undefined {
  const version = view.getUint32(at, LITTLE_ENDIAN);
  const length = view.getUint32(at + 4, LITTLE_ENDIAN);
  const type = view.getUint32(at + 8, LITTLE_ENDIAN);
  const size = view.getUint32(at + 12, LITTLE_ENDIAN);
  const isHeader = version <= 1 && length >= HEADER_BYTES && length <= HEADER_BYTES_MAX &&
    type <= TYPE_MAX && size <= sizeMax;
  return isHeader ? { version, length, type, size } : undefined;
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
