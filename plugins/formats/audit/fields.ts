// The fields of one line of an audit log, walked by index: `k=v k="v" msg='k=v …'`, and what the
// daemon added behind them. Second half of parse.ts, which reads what stands before them.

import { RejectedInput } from "../../sdk/errors.ts";
import { FieldMap } from "./field-map.ts";
import type { Layout } from "./field-map.ts";
import { decodeHex, isEncoded, rawToText } from "./text.ts";

// Names the daemon adds, as this format writes them.
const LOWER: ReadonlyMap<string, string> = new Map(
  ["AUID", "UID", "GID", "EUID", "SUID", "FSUID", "EGID", "SGID", "FSGID", "OUID", "OGID", "ARCH"]
    .concat("SYSCALL", "SADDR", "ID", "OLD-AUID").map((name) => [name, name.toLowerCase()]),
);
// The same; needed only where it wrote them without a separator.
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
  #keys: string[] | undefined;
  #text = "";
  // The last field, while words that follow it belong to its value: `op=adding group to
  // /etc/group`.
  #open = "";
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
    if (keys !== undefined && new Set(keys).size === keys.length) this.#layout.keys = keys;
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
        at = this.#value(guess, at + guess.length + 1, end, nested);
        continue;
      }
      let stop = at;
      let d = c;
      while (stop < end && d !== EQUALS && d !== SPACE) d = line.charCodeAt(++stop);
      if (stop >= end || d === SPACE) {
        this.#word(line.slice(at, Math.min(stop, end)));
        at = stop;
      } else {
        const key = line.slice(c === BRACKET ? at + 1 : at, stop);
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
  #guess(at: number): string | undefined {
    const guess = this.#layout.keys[this.#count];
    if (guess === undefined || !this.#line.startsWith(guess, at)) return undefined;
    if (this.#line.charCodeAt(at + guess.length) !== EQUALS) return undefined;
    this.#keys?.push(guess);
    this.#count++;
    return guess;
  }

  /** Reads the value at `from`; returns the index after it. */
  #value(key: string, from: number, end: number, nested: boolean): number {
    const line = this.#line;
    const c = from < end ? line.charCodeAt(from) : SPACE;
    this.#open = "";
    if (c === QUOTE) {
      const close = line.indexOf('"', from + 1);
      if (close < 0 || close >= end) return this.#cut(key, from, end);
      this.#field(key, line.slice(from + 1, close), true, nested);
      return close + 1;
    }
    if (c === APOSTROPHE && key === "msg" && !nested) {
      const last = line.lastIndexOf("'", end - 1);
      const close = last > from ? last : end;
      this.read(from + 1, close, true);
      this.#open = "";
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
    this.#field(key, line.slice(from, stop), false, nested);
    return stop;
  }

  /** A quote that never closes: what remains of a line that was cut. */
  #cut(key: string, from: number, end: number): number {
    if (end === this.#line.length) {
      throw new RejectedInput(`Cut line: the value of "${rawToText(key)}" has no end`);
    }
    this.#field(key, this.#line.slice(from, end), true, true);
    return end;
  }

  #field(name: string, raw: string, quoted: boolean, nested: boolean): void {
    let key = name;
    let value = raw;
    let none = quoted && raw === "?" && key === "acct";
    if (!quoted) {
      const last = value.charCodeAt(value.length - 1);
      if (last === COMMA || (last === BRACKET_CLOSE && !value.includes("("))) {
        value = value.slice(0, -1);
      }
      if (nested && (key === "op" || key === "text")) this.#open = key;
      none = value === "" || value === "?" || value === "(null)";
    }
    const first = key.charCodeAt(0);
    if (first >= 0x41 && first <= 0x5a && !nested) {
      if (none) return;
      (this.resolved ??= new Map()).set(LOWER.get(key) ?? key.toLowerCase(), this.#decode(value));
      return;
    }
    if (this.#prefix !== "") {
      key = this.#prefix + key;
      this.#prefix = "";
    }
    this.fields.add(this.#decode(key), none ? undefined : this.#valueOf(key, value, quoted));
  }

  #valueOf(key: string, value: string, quoted: boolean): string {
    const { type } = this.#layout;
    // A part of a long argument is joined before it is decoded, so it stays as it is: see argv.ts.
    if (key.endsWith("]") && type === "EXECVE") return quoted ? `"${value}` : value;
    if (!quoted && value.length % 2 === 0 && isEncoded(type, key)) return decodeHex(key, value);
    return this.#decode(value);
  }

  #decode(raw: string): string {
    return this.#ascii ? raw : rawToText(raw);
  }

  #word(word: string): void {
    if (this.#open !== "") {
      this.fields.extend(this.#open, this.#decode(word));
    } else if (word === "old" || word === "new") {
      this.#prefix = word === "old" ? "old-" : "";
    } else if (word !== ":") {
      this.#text += this.#text === "" ? word : ` ${word}`;
    }
  }
}
