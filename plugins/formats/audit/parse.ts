// One line of an audit log to one AuditRecord: the first step of the format. Reads
// `[node=N ]type=T msg=audit(SEC.MS:SERIAL): k=v …` by index, once, in raw and enriched form.

import { LRUCache } from "lru-cache";
import { RejectedInput } from "../../sdk/errors.ts";
import type { ActionRule } from "./actions.ts";
import { FieldReader } from "./fields.ts";
import { newLayout } from "./field-map.ts";
import type { FieldMap, Layout } from "./field-map.ts";
import { rawToText } from "./text.ts";

/** One line of an audit log. Values are decoded; `?` and `(null)` mean none and are left out. */
export interface AuditRecord {
  /** `SYSCALL`, `USER_LOGIN`, `UNKNOWN[1420]`. */
  readonly type: string;
  readonly rule: ActionRule;
  /** It is a whole event, which nothing follows. */
  readonly isAlone: boolean;
  /** Name of the machine, where the daemon writes one; else empty. */
  readonly node: string;
  /** `SEC.MS:SERIAL` as written: with the node, the identity of the event this is a part of. */
  readonly stamp: string;
  /** `NODE STAMP`, or the stamp alone where no node is named. */
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly time: number;
  /**
   * By name as written, first one wins (the kernel writes first, so a program cannot overrule it in
   * its own text); a repeated name is kept as `name#2`, `name#3`. Words outside fields are in
   * `text`.
   */
  readonly fields: FieldMap;
  /** What the daemon added when it wrote the line (log_format = ENRICHED), names in lower case. */
  readonly resolved: ReadonlyMap<string, string> | undefined;
}

// Longest type known is below 30 characters.
const TYPE = /^[A-Z][A-Z0-9_]{0,39}(?:\[\d{1,10}\])?$/;
// More than exist; lines of further types are only read without a guess.
const LAYOUTS_MAX = 512;
// Lines that come again and again but for their stamp: the loader's PATH is in every execution.
const REPEATED: ReadonlySet<string> = new Set(["PATH", "CWD"]);
const BODIES_MAX = 1024;
const BODY_CHARS_MAX = 1024;

const LETTER_N = 0x6e;
const BRACKET_CLOSE = 0x29;
const DOT = 0x2e;
const COLON = 0x3a;
const SEPARATOR = "\x1d";

/** What is in front of the fields. */
interface Head {
  readonly node: string;
  readonly stamp: string;
  readonly id: string;
  readonly time: number;
}

type Body = Pick<AuditRecord, "fields" | "resolved">;

/**
 * Reads lines. Keeps the field names of each type, so that a name is compared, not cut out; the
 * stamp of the line before, which the next often has, too; and whole lines that come again.
 */
export class RecordParser {
  readonly #layouts = new Map<string, Layout>();
  readonly #bodies = new LRUCache<string, Body>({ max: BODIES_MAX });
  // Types come in the same order again and again, too.
  #last: Layout | undefined;
  #head: Head = { node: "", stamp: "", id: "", time: 0 };

  /**
   * Reads one line, given as latin1 (a character per byte); `ascii` where none is above 0x7f.
   * Throws RejectedInput where it is no audit record, or was cut inside a quoted value.
   */
  parse(line: string, ascii: boolean): AuditRecord {
    let at = 0;
    let node = "";
    if (line.charCodeAt(0) === LETTER_N && line.startsWith("node=")) {
      at = line.indexOf(" ") + 1;
      // A host name has at most 255 characters.
      if (at <= 6 || at > 261) throw noRecord();
      node = rawToText(line.slice(5, at - 1));
    }
    const layout = this.#layoutAt(line, at);
    const from = at + layout.head.length;
    const head = this.#readHead(line, node, from);
    const close = from + head.stamp.length;
    const start = line.charCodeAt(close + 1) === COLON ? close + 2 : close + 1;
    const { fields, resolved } = this.#body(line, start, layout, ascii);
    const { type, rule, isAlone } = layout;
    const { stamp, id, time } = head;
    return { type, rule, isAlone, node, stamp, id, time, fields, resolved };
  }

  #readHead(line: string, node: string, from: number): Head {
    const last = this.#head;
    const { stamp } = last;
    if (stamp !== "" && node === last.node && line.startsWith(stamp, from)) {
      if (line.charCodeAt(from + stamp.length) === BRACKET_CLOSE) return last;
    }
    const close = line.indexOf(")", from);
    const time = readTime(line, from, close);
    const own = line.slice(from, close);
    return this.#head = { node, stamp: own, id: node === "" ? own : `${node} ${own}`, time };
  }

  #body(line: string, start: number, layout: Layout, ascii: boolean): Body {
    const isKept = REPEATED.has(layout.type) && line.length - start <= BODY_CHARS_MAX;
    if (!isKept) return readBody(line, start, layout, ascii);
    const text = line.slice(start);
    let body = this.#bodies.get(text);
    if (body === undefined) {
      body = readBody(line, start, layout, ascii);
      this.#bodies.set(text, body);
    }
    return body;
  }

  #layoutAt(line: string, at: number): Layout {
    const guess = this.#last?.next;
    if (guess !== undefined && line.startsWith(guess.head, at)) return this.#last = guess;
    const space = line.indexOf(" ", at + 5);
    if (!line.startsWith("type=", at) || !line.startsWith("msg=audit(", space + 1)) {
      throw noRecord();
    }
    const written = line.slice(at + 5, space);
    let layout = this.#layouts.get(written);
    if (layout === undefined) {
      if (!TYPE.test(written)) throw noRecord();
      layout = newLayout(written);
      // One that is not kept may not be found through another one either.
      if (this.#layouts.size >= LAYOUTS_MAX) return layout;
      this.#layouts.set(written, layout);
    }
    if (this.#last !== undefined) this.#last.next = layout;
    return this.#last = layout;
  }
}

function readBody(line: string, start: number, layout: Layout, ascii: boolean): Body {
  const reader = new FieldReader(layout, line, ascii);
  const separator = line.indexOf(SEPARATOR, start);
  reader.read(start, separator < 0 ? line.length : separator, false);
  if (separator >= 0) reader.read(separator + 1, line.length, false);
  reader.learn();
  return { fields: reader.fields, resolved: reader.resolved };
}

function noRecord(): RejectedInput {
  return new RejectedInput("No audit record: no type= and msg=audit(TIME:SERIAL)");
}

/** `1481076992.414:385` in milliseconds, in whole numbers only. */
function readTime(line: string, from: number, close: number): number {
  let at = from;
  let seconds = 0;
  for (let c = 0; (c = line.charCodeAt(at)) >= 0x30 && c <= 0x39; at++) {
    seconds = seconds * 10 + c - 48;
  }
  const dot = at++;
  let ms = 0;
  for (let c = 0; (c = line.charCodeAt(at)) >= 0x30 && c <= 0x39; at++) ms = ms * 10 + c - 48;
  const colon = at++;
  while (at < close && line.charCodeAt(at) >= 0x30 && line.charCodeAt(at) <= 0x39) at++;
  // Eleven digits of seconds and twenty of a serial stay within what a Date and 64 bits can hold.
  const shape = dot > from && dot - from <= 11 && line.charCodeAt(dot) === DOT &&
    colon > dot + 1 && colon - dot <= 4 && line.charCodeAt(colon) === COLON &&
    at === close && close > colon + 1 && close - colon <= 21;
  if (!shape) throw noRecord();
  return seconds * 1000 + ms;
}
