// ExportLogsServiceRequest in Protocol Buffers, written in one pass: bodies are copied as the bytes
// they are stored as, where the SDK's encoder walks each text twice, by character. What it writes is
// what that one writes; a test compares them.

import { Buffer } from "node:buffer";

/** A log record, ready to be written. */
export interface LogFields {
  /** Milliseconds since the epoch, not negative. */
  readonly time: number;
  readonly observed: number;
  readonly severityNumber: number;
  readonly severityText: string;
  /** UTF-8. */
  readonly body: Uint8Array;
  readonly attributes: Readonly<Record<string, string>>;
  readonly eventName: string | undefined;
}

/** What all records share. */
export interface Envelope {
  readonly resource: Readonly<Record<string, string>>;
  readonly scope: { readonly name: string; readonly version: string };
}

// Tags: field number times eight plus wire type; 1 is eight bytes, 2 is delimited, 0 a varint.
const KEY = 0x0a;
const VALUE = 0x12;
const STRING = 0x0a;
const ATTRIBUTE = 0x32;
const BODY = 0x2a;
/** Of what stands before the records: resource, scope and lengths. */
const HEAD_BYTES = 4096;
/** Guess for what a record has beside its body. */
const MORE_BYTES = 1024;
/** Of tags, lengths, times and severity of one record, without its texts. */
const FIXED_BYTES = 96;

/** Writes requests, one after the other; it keeps only the keys of attributes it has met. */
export class ProtobufWriter {
  readonly #head: { readonly resource: Buffer; readonly scope: Buffer };
  /** Key fields of attributes: tag, length, name. */
  readonly #keys = new Map<string, Buffer>();
  #bytes = Buffer.alloc(0);
  #at = 0;

  constructor({ resource, scope }: Envelope) {
    const attributes = Object.entries(resource).map(([key, value]) => {
      const text = delimited(VALUE, delimited(STRING, Buffer.from(value)));
      return delimited(KEY, Buffer.concat([delimited(KEY, Buffer.from(key)), text]));
    });
    this.#head = {
      // The number of attributes that were dropped stands there too, by the SDK's habit.
      resource: delimited(0x0a, Buffer.concat([...attributes, Buffer.from([0x10, 0])])),
      scope: delimited(
        0x0a,
        Buffer.concat([
          delimited(0x0a, Buffer.from(scope.name)),
          delimited(0x12, Buffer.from(scope.version)),
        ]),
      ),
    };
  }

  /** A request of records. The bytes are the caller's. */
  request(records: readonly LogFields[]): Uint8Array {
    const guess = records.reduce((sum, { body }) => sum + body.length + MORE_BYTES, HEAD_BYTES);
    this.#bytes = Buffer.allocUnsafe(guess);
    this.#at = HEAD_BYTES;
    for (const record of records) this.#record(record);
    const { resource, scope } = this.#head;
    const logs = this.#at - HEAD_BYTES;
    const scopeLogs = Buffer.concat([varint(0x12), varint(scope.length + logs), scope]);
    const resourceLogs = resource.length + scopeLogs.length + logs;
    const head = Buffer.concat([varint(0x0a), varint(resourceLogs), resource, scopeLogs]);
    const bytes = this.#bytes;
    this.#bytes = Buffer.alloc(0);
    const begin = HEAD_BYTES - head.length;
    // Names of hosts are short; anything longer than the room for it costs a copy.
    if (begin < 0) return Buffer.concat([head, bytes.subarray(HEAD_BYTES, this.#at)]);
    head.copy(bytes, begin);
    return bytes.subarray(begin, this.#at);
  }

  #record(record: LogFields): void {
    const { body, attributes, severityText, severityNumber, eventName, time, observed } = record;
    const name = eventName === undefined ? 0 : Buffer.byteLength(eventName);
    const pairs = Object.keys(attributes);
    let attributeBytes = 0;
    for (const key of pairs) attributeBytes += this.#attributeSize(key, attributes[key]!);
    const severity = Buffer.byteLength(severityText);
    const text = 1 + sizeOf(body.length) + body.length;
    const size = 9 + 2 + 1 + sizeOf(severity) + severity + 1 + sizeOf(text) + text +
      attributeBytes + 2 + 9 + (name === 0 ? 0 : 1 + sizeOf(name) + name);
    this.#ensure(size + FIXED_BYTES);
    this.#tag(0x12, size);
    this.#time(0x09, time);
    this.#tag(0x10, severityNumber);
    this.#text(0x1a, severityText, severity);
    this.#tag(BODY, text);
    this.#tag(STRING, body.length);
    this.#bytes.set(body, this.#at);
    this.#at += body.length;
    for (const key of pairs) this.#attribute(key, attributes[key]!);
    this.#tag(0x38, 0);
    this.#time(0x59, observed);
    if (eventName !== undefined && name > 0) this.#text(0x62, eventName, name);
  }

  #attributeSize(key: string, value: string): number {
    const length = Buffer.byteLength(value);
    const text = 1 + sizeOf(length) + length;
    const pair = this.#key(key).length + 1 + sizeOf(text) + text;
    return 1 + sizeOf(pair) + pair;
  }

  #attribute(key: string, value: string): void {
    const length = Buffer.byteLength(value);
    const text = 1 + sizeOf(length) + length;
    const head = this.#key(key);
    this.#tag(ATTRIBUTE, head.length + 1 + sizeOf(text) + text);
    this.#bytes.set(head, this.#at);
    this.#at += head.length;
    this.#tag(VALUE, text);
    this.#text(STRING, value, length);
  }

  /** The keys are this exporter's own, a dozen. */
  #key(key: string): Buffer {
    const known = this.#keys.get(key);
    if (known !== undefined) return known;
    const field = delimited(KEY, Buffer.from(key));
    this.#keys.set(key, field);
    return field;
  }

  #text(tag: number, text: string, length: number): void {
    this.#tag(tag, length);
    this.#at += this.#bytes.write(text, this.#at, length, "utf8");
  }

  /** A tag of one byte, and a varint. */
  #tag(tag: number, value: number): void {
    const bytes = this.#bytes;
    bytes[this.#at++] = tag;
    let rest = value;
    for (; rest > 0x7f; rest >>>= 7) bytes[this.#at++] = rest & 0x7f | 0x80;
    bytes[this.#at++] = rest;
  }

  #time(tag: number, ms: number): void {
    this.#bytes[this.#at] = tag;
    this.#bytes.writeBigUInt64LE(BigInt(ms) * 1_000_000n, this.#at + 1);
    this.#at += 9;
  }

  #ensure(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe((this.#at + bytes) * 2);
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }
}

/** Bytes of a varint. */
function sizeOf(value: number): number {
  let size = 1;
  for (let rest = value; rest > 0x7f; rest >>>= 7) size++;
  return size;
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes.push(rest & 0x7f | 0x80);
  return Buffer.from([...bytes, rest]);
}

function delimited(tag: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([varint(tag), varint(bytes.length), bytes]);
}
