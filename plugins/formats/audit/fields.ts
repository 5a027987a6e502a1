// The fields of one line of an audit log, walked by index: `k=v k="v" msg='k=v …'`, and what the
// daemon added behind them. Second half of parse.ts, which reads what stands before them.

import { RejectedInput } from "../../sdk/errors.ts";
import { FieldMap, newKey } from "./field-map.ts";
import type { Key, Layout } from "./field-map.ts";
import { decodeHex, rawToText } from "./text.ts";

// Names the daemon adds; needed only where it wrote them without a separator.
const ADDED =
  /(?:OLD-AUID|AUID|UID|GID|EUID|SUID|FSUID|EGID|SGID|FSGID|OUID|OGID|ARCH|SYSCALL|SADDR|ID)$/;

// Fields of the longest record known, and room: a command line of many words is no pattern.
const KEYS_MAX = 64;

const SPACE = 0x20;
const QUOTE = 0x22;
const APOSTROPHE = 0x27;
const BRACKET = 0x28;
const BRACKET_CLOSE = 0x29;
const COMMA = 0x2c;
const EQUALS = 0x3d;
const BRACE = 0x7b;

/** Walks the fields of one line. */
export class FieldReader {
  readonly fields: FieldMap;
  resolved: Map<string, string> | undefined;
  readonly #layout: Layout;
  readonly #line: string;
  readonly #ascii: boolean;
  // How many names came; they are the layout's as long as `#keys`, the names themselves, is unset.
  #count = 0;
  #keys: Key[] | undefined;
  #text = "";
  // The last field, while words that follow it belong to its value.
  #open: Key | undefined;
  // `old auid=1 new auid=2`, as LOGIN was written before Linux 3.
  #prefix = "";

  constructor(layout: Layout, line: string, ascii: boolean) {
    this.fields = new FieldMap(layout);
    this.#layout = layout;
    this.#line = line;
    this.#ascii = ascii;
  }

  /** Keeps the names of this line as the guess for the next. */
  learn(): void {
    if (this.#count > KEYS_MAX || this.fields.hasRepeats) return;
    this.fields.learn(this.#layout);
    const keys = this.#keys;
    if (keys === undefined) return;
    if (new Set(keys.map(({ written }) => written)).size === keys.length) this.#layout.keys = keys;
  }

  /** Reads from one index up to another; `nested` inside msg='…'. */
  read(from: number, end: number, nested: boolean): void {
    const line = this.#line;
    let at = from;
    while (at < end) {
      const c = line.charCodeAt(at);
      if (c === SPACE || c === COMMA) {
        at++;
        continue;
      }
      const guess = this.#guess(at);
      if (guess !== undefined) {
        at = this.#value(guess, at + guess.written.length + 1, end, nested);
        continue;
      }
      let stop = at;
      let d = c;
      while (stop < end && d !== EQUALS && d !== SPACE) d = line.charCodeAt(++stop);
      if (stop >= end || d === SPACE) {
        this.#word(line.slice(at, Math.min(stop, end)));
        at = stop;
      } else {
        const key = newKey(this.#layout.type, line.slice(c === BRACKET ? at + 1 : at, stop));
        (this.#keys ??= this.#layout.keys.slice(0, this.#count)).push(key);
        this.#count++;
        at = this.#value(key, stop + 1, end, nested);
      }
    }
    if (nested || this.#text === "") return;
    this.fields.add("text", this.#decode(this.#text));
    this.#text = "";
  }

  /** The name at this place in the line before this one, where it stands here too. */
  #guess(at: number): Key | undefined {
    const guess = this.#layout.keys[this.#count];
    if (guess === undefined) return undefined;
    const { written } = guess;
    const line = this.#line;
    const { length } = written;
    // A loop over so few characters costs a fraction of a call of startsWith().
    for (let i = 0; i < length; i++) {
      if (line.charCodeAt(at + i) !== written.charCodeAt(i)) return undefined;
    }
    if (line.charCodeAt(at + length) !== EQUALS) return undefined;
    this.#keys?.push(guess);
    this.#count++;
    return guess;
  }

  /** Reads the value at `from`; returns the index after it. */
  #value(key: Key, from: number, end: number, nested: boolean): number {
    const line = this.#line;
    const c = from < end ? line.charCodeAt(from) : SPACE;
    this.#open = undefined;
    if (c === QUOTE) {
      const close = line.indexOf('"', from + 1);
      if (close < 0 || close >= end) return this.#cut(key, from, end);
      this.#field(key, line.slice(from + 1, close), true, nested);
      return close + 1;
    }
    if (c === APOSTROPHE && key.written === "msg" && !nested) {
      const last = line.lastIndexOf("'", end - 1);
      const close = last > from ? last : end;
      this.read(from + 1, close, true);
      this.#open = undefined;
      return close + 1;
    }
    let stop = from;
    if (c === BRACE) {
      const close = line.indexOf("}", from);
      stop = close < 0 || close >= end ? end : close + 1;
    }
    for (let d = 0; stop < end && (d = line.charCodeAt(stop)) !== SPACE; stop++) {
      if (d === EQUALS && !nested) {
        const glued = ADDED.exec(line.slice(Math.max(from, stop - 8), stop));
        if (glued !== null) {
          stop -= glued[0].length;
          break;
        }
      }
    }
    this.#bare(key, from, stop, nested);
    return stop;
  }

  /** A value without quotes. */
  #bare(key: Key, from: number, stop: number, nested: boolean): void {
    const last = stop > from ? this.#line.charCodeAt(stop - 1) : 0;
    let raw = this.#line.slice(from, stop);
    if (last === COMMA || (last === BRACKET_CLOSE && !raw.includes("("))) raw = raw.slice(0, -1);
    if (nested && key.isOpen) this.#open = key;
    const isNone = raw.length < 7 && (raw === "" || raw === "?" || raw === "(null)");
    this.#field(key, isNone ? undefined : raw, false, nested);
  }

  /** A quote that never closes: what remains of a line that was cut. */
  #cut(key: Key, from: number, end: number): number {
    if (end === this.#line.length) {
      throw new RejectedInput(`Cut line: the value of "${key.name}" has no end`);
    }
    this.#field(key, this.#line.slice(from, end), true, true);
    return end;
  }

  #field(written: Key, raw: string | undefined, quoted: boolean, nested: boolean): void {
    let key = written;
    if (key.added !== undefined && !nested) {
      if (raw !== undefined) (this.resolved ??= new Map()).set(key.added, this.#decode(raw));
      return;
    }
    if (this.#prefix !== "") {
      key = newKey(this.#layout.type, this.#prefix + key.written);
      this.#prefix = "";
    }
    const isNone = raw === undefined || (quoted && raw === "?" && written.written === "acct");
    this.fields.add(key.name, isNone ? undefined : this.#valueOf(key, raw, quoted));
  }

  #valueOf(key: Key, value: string, quoted: boolean): string {
    if (key.isPart) return quoted ? `"${value}` : value;
    if (key.isEncoded && !quoted && value.length % 2 === 0) return decodeHex(key.written, value);
    return this.#decode(value);
  }

  #decode(raw: string): string {
    return this.#ascii ? raw : rawToText(raw);
  }

  #word(word: string): void {
    if (this.#open !== undefined) {
      this.fields.extend(this.#open.name, this.#decode(word));
    } else if (word === "old" || word === "new") {
      this.#prefix = word === "old" ? "old-" : "";
    } else if (word !== ":") {
      this.#text += this.#text === "" ? word : ` ${word}`;
    }
  }
}
