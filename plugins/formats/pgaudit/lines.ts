// Lines of the log -> whole messages. A record of csvlog, or a message of pgaudit on stderr, goes on
// over lines for as long as a quote is open; lines wait here until it is closed. What is torn (a
// server that was killed, a full disk) is handed out as it is, and the lines behind it are read anew.

import { Buffer } from "node:buffer";
import { type FramePosition, RejectedInput } from "../../sdk/index.ts";
import { parseJsonFrame } from "../../sdk/json-frame.ts";
import { AUDIT } from "./audit.ts";
import type { PgauditConfig } from "./config.ts";
import { endsOpen, splitCsv } from "./csv.ts";
import { fromColumns, fromLine, fromMembers, type PgMessage, Zones } from "./message.ts";
import { compilePrefix, type Head, type PrefixReader } from "./prefix.ts";

/** Takes what the lines hold. */
export interface MessageTaker {
  /** A message; `at` is where its first line stands. May throw RejectedInput. */
  message(message: PgMessage, at: FramePosition): void;
  /** The text of lines that are no message, whole or in part. */
  torn(text: string, reason: string, time: number, at: FramePosition): void;
  /** A line that is left out on purpose. */
  ignored(reason: string): void;
}

interface Line {
  readonly text: string;
  readonly at: FramePosition;
}

/** A record whose quote is open. */
interface Pending {
  readonly lines: Line[];
  /** Of a line of stderr; a record of csvlog has none. */
  readonly head: Head | undefined;
  readonly time: number;
  characters: number;
  /** It is longer than a record may be: only its end is waited for. */
  overlong: boolean;
  seenMs: number | undefined;
}

const REST = "no action: rest of a message of the server";
const TOO_LONG = "Record is longer than max_record_bytes";
const CSV_BEGIN = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})? [^\s,"]{1,40},/;
/** How often the lines behind torn ones are read anew before all of them count as torn. */
const TRIES = 16;

/** See the top of the file. */
export class Lines {
  readonly #destination: PgauditConfig["log_destination"];
  readonly #prefixes: readonly PrefixReader[];
  readonly #charactersMax: number;
  readonly #waitMs: number;
  readonly #zones: Zones;
  readonly #taker: MessageTaker;
  #pending: Pending | undefined;
  #tries = TRIES;

  constructor(config: PgauditConfig, taker: MessageTaker) {
    const { log_line_prefix: prefixes } = config;
    const all = typeof prefixes === "string" ? [prefixes] : prefixes;
    this.#prefixes = all.map(compilePrefix).filter((reader) => typeof reader !== "string");
    this.#destination = config.log_destination;
    this.#charactersMax = config.max_record_bytes;
    this.#waitMs = config.wait;
    this.#zones = new Zones(config.timezone);
    this.#taker = taker;
  }

  /** Where the record that waits begins. */
  get oldestPending(): FramePosition | undefined {
    return this.#pending?.lines[0]?.at;
  }

  /** Takes a line. Throws RejectedInput where it is none of the log's. */
  add(text: string, at: FramePosition): void {
    this.#tries = TRIES;
    this.#next(text, at);
  }

  /** Hands out what has waited long enough. */
  flush(nowMs: number): void {
    const pending = this.#pending;
    if (pending === undefined) return;
    // A clock that was set back starts the wait again.
    if (pending.seenMs === undefined || pending.seenMs > nowMs) pending.seenMs = nowMs;
    if (nowMs !== Infinity && nowMs - pending.seenMs < this.#waitMs) return;
    this.#tries = TRIES;
    do this.#tear("Has no end"); while (nowMs === Infinity && this.#pending !== undefined);
  }

  #next(text: string, at: FramePosition): void {
    const pending = this.#pending;
    if (pending === undefined) return this.#begin(text, at);
    if (pending.head === undefined || pending.head.bare) return this.#goOn(pending, text, at);
    // The server puts a tab before each further line: without it this is another message.
    const tabbed = text.startsWith("\t");
    if (tabbed || this.#headOf(text) === undefined) {
      return this.#goOn(pending, tabbed ? text.slice(1) : text, at);
    }
    this.#tear("Has no end");
    this.#again({ text, at }, pending.time);
  }

  #begin(text: string, at: FramePosition): void {
    const form = this.#destination === "auto" ? formOf(text) : this.#destination;
    if (form === "jsonlog") {
      const root = parseJsonFrame(Buffer.from(text));
      return this.#taker.message(fromMembers(root, this.#zones), at);
    }
    if (form === "csvlog") return this.#beginCsv(text, at);
    this.#beginLine(text, at);
  }

  #beginCsv(text: string, at: FramePosition): void {
    if (!CSV_BEGIN.test(text)) throw new RejectedInput("Is no record of csvlog");
    if (!endsOpen(text)) return this.#csv(text, at);
    const time = this.#zones.time(text.slice(0, text.indexOf(",")));
    this.#wait(text, at, time, undefined);
  }

  #csv(text: string, at: FramePosition): void {
    const columns = splitCsv(text);
    if (columns === undefined) throw new RejectedInput("Is no record of csvlog: its quotes");
    this.#taker.message(fromColumns(columns, this.#zones), at);
  }

  #beginLine(text: string, at: FramePosition): void {
    if (text.startsWith("\t")) return this.#taker.ignored(REST);
    const head = this.#headOf(text);
    if (head === undefined) throw new RejectedInput("Does not begin with log_line_prefix");
    const message = text.slice(head.begin);
    if (!message.startsWith(AUDIT) || !endsOpen(message)) {
      return this.#taker.message(fromLine(head, message, this.#zones), at);
    }
    const time = fromLine(head, "", this.#zones).time ?? at.receivedAt;
    if (time === undefined) throw new RejectedInput("Has no time: log_line_prefix needs %m");
    this.#wait(text, at, time, head);
  }

  #headOf(text: string): Head | undefined {
    for (const read of this.#prefixes) {
      const head = read(text);
      if (head !== undefined) return head;
    }
    return undefined;
  }

  #wait(text: string, at: FramePosition, time: number, head: Head | undefined): void {
    this.#pending = {
      lines: [{ text, at: { ...at } }],
      head,
      time,
      characters: text.length,
      overlong: false,
      seenMs: undefined,
    };
  }

  /** One more line of the record that waits. */
  #goOn(pending: Pending, text: string, at: FramePosition): void {
    const closed = !endsOpen(text, true);
    if (pending.overlong) {
      if (closed) this.#pending = undefined;
      throw new RejectedInput(TOO_LONG);
    }
    pending.lines.push({ text, at: { ...at } });
    pending.characters += text.length + 1;
    if (closed) return this.#close(pending);
    if (pending.characters <= this.#charactersMax) return;
    // Its further lines are set aside one by one; they may look like anything, and are not read.
    this.#taker.torn(textOf(pending.lines), TOO_LONG, pending.time, pending.lines[0]!.at);
    pending.lines.length = 1;
    pending.overlong = true;
  }

  #close(pending: Pending): void {
    const { at } = pending.lines[0]!;
    const text = textOf(pending.lines);
    try {
      if (pending.head === undefined) this.#csv(text, at);
      else {
        const message = fromLine(pending.head, text.slice(pending.head.begin), this.#zones);
        this.#taker.message(message, at);
      }
      this.#pending = undefined;
    } catch (error) {
      if (!(error instanceof RejectedInput)) throw error;
      this.#tear(error.message);
    }
  }

  /** Gives up the record that waits, and reads anew what looks like others behind its first line. */
  #tear(reason: string): void {
    const { lines, head, time, overlong } = this.#pending!;
    this.#pending = undefined;
    if (overlong) return;
    // On stderr no other message can be among them, whatever a statement's lines look like.
    const again = head === undefined && this.#tries-- > 0;
    const next = again ? lines.findIndex(({ text }, i) => i > 0 && CSV_BEGIN.test(text)) : -1;
    const own = next < 0 ? lines : lines.slice(0, next);
    this.#taker.torn(textOf(own), reason, time, own[0]!.at);
    for (const line of next < 0 ? [] : lines.slice(next)) this.#again(line, time);
  }

  /** Reads a line behind a torn record: it cannot be rejected any more, so its text is kept, too. */
  #again({ text, at }: Line, time: number): void {
    try {
      this.#next(text, at);
    } catch (error) {
      if (!(error instanceof RejectedInput)) throw error;
      this.#taker.torn(text, error.message, time, at);
    }
  }
}

function textOf(lines: readonly Line[]): string {
  return lines.map(({ text }) => text).join("\n");
}

function formOf(text: string): "csvlog" | "jsonlog" | "stderr" {
  if (text.charCodeAt(0) === 0x7b) return "jsonlog";
  return CSV_BEGIN.test(text) ? "csvlog" : "stderr";
}
