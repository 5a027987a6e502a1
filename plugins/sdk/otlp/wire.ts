// The wire of Protocol Buffers, as far as OTLP uses it: tags, varints, fixed numbers and delimited
// bytes, walked by index without copies. The messages are in decode-protobuf.ts.

import { Buffer } from "node:buffer";
import { RejectedInput } from "../errors.ts";
import { ItemBudget } from "./item-budget.ts";

// A varint takes seven bits a byte; 64 bits need ten.
const VARINT_BYTES_MAX = 10;
const FIXED64 = 1;
const DELIMITED = 2;
const FIXED32 = 5;

/** Reads one message's bytes. Throws RejectedInput for what is no such message. */
export class WireReader {
  readonly bytes: Buffer;
  at = 0;
  /** Set by whoever meets a value nested too deep. */
  tooDeep = false;
  readonly budget = new ItemBudget();

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** A tag: field number times eight, plus wire type. */
  tag(end: number): number {
    const byte = this.bytes[this.at]!;
    if (byte >= 0x80) return this.uint32(end);
    this.at++;
    return byte;
  }

  /** A varint's low 32 bits. */
  uint32(end: number): number {
    const from = this.at;
    let value = 0;
    for (let shift = 0;; shift += 7) {
      const byte = this.#varintByte(from, end);
      if (shift < 32) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
  }

  /** A signed varint of 64 bits: a number where that is exact. */
  int64(end: number): number | bigint {
    const from = this.at;
    let low = 0;
    let high = 0;
    for (let shift = 0;; shift += 7) {
      const byte = this.#varintByte(from, end);
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else if (shift < 64) high |= bits << (shift - 32);
      if (byte < 0x80) break;
    }
    const value = high * 0x1_0000_0000 + (low >>> 0);
    if (Number.isSafeInteger(value)) return value;
    return BigInt(high) << 32n | BigInt(low >>> 0);
  }

  fixed32(end: number): number {
    return this.bytes.readUInt32LE(this.#advance(4, end));
  }

  fixed64(end: number): bigint {
    return this.bytes.readBigUInt64LE(this.#advance(8, end));
  }

  double(end: number): number {
    return this.bytes.readDoubleLE(this.#advance(8, end));
  }

  /** Where the delimited bytes that follow end; they begin at `at`. */
  length(end: number): number {
    const length = this.uint32(end);
    if (length > end - this.at) throw truncated();
    return this.at + length;
  }

  string(end: number): string {
    const stop = this.length(end);
    const from = this.at;
    this.at = stop;
    return this.bytes.toString("utf8", from, stop);
  }

  hex(end: number): string {
    const stop = this.length(end);
    const from = this.at;
    this.at = stop;
    return this.bytes.toString("hex", from, stop);
  }

  /** A copy. */
  blob(end: number): Uint8Array {
    const stop = this.length(end);
    const from = this.at;
    this.at = stop;
    return this.bytes.subarray(from, stop).slice();
  }

  /**
   * Steps over a field the schema does not have, as senders of a later version may add. Of a field
   * that it has, whose numbers are the bits of `known`, this is the wrong wire type.
   */
  skip(tag: number, known: number, end: number): void {
    const field = tag >>> 3;
    if (field === 0 || field < 32 && (known >>> field & 1) === 1) {
      throw new RejectedInput(`Field ${field} has wire type ${tag & 7}, which it cannot have`);
    }
    switch (tag & 7) {
      case 0:
        this.int64(end);
        return;
      case FIXED64:
        this.#advance(8, end);
        return;
      case DELIMITED:
        this.at = this.length(end);
        return;
      case FIXED32:
        this.#advance(4, end);
        return;
      default:
        throw new RejectedInput(`Field ${field} has wire type ${tag & 7}, which OTLP does not use`);
    }
  }

  #varintByte(from: number, end: number): number {
    if (this.at >= end) throw truncated();
    if (this.at - from >= VARINT_BYTES_MAX) throw new RejectedInput("Number has over ten bytes");
    return this.bytes[this.at++]!;
  }

  #advance(bytes: number, end: number): number {
    const from = this.at;
    if (bytes > end - from) throw truncated();
    this.at = from + bytes;
    return from;
  }
}

function truncated(): RejectedInput {
  return new RejectedInput("Ends inside a field");
}
