// Cuts records out of a file's bytes by following only strings and brackets: what is inside a
// record is checked by whoever parses it. Receiver `cloudtrail` reads its files through this.

import { CarriedText } from "./carried-text.ts";
import { endOfString, isSpace } from "./json-text.ts";
import { EXCERPT_BYTES_MAX, type Span, SPLIT_LIMITS, type SplitLimits } from "./span.ts";

const LF = 0x0a;
const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_LIST = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_LIST = 0x5d;
const OPEN = 0x7b;
const CLOSE = 0x7d;

// Where the walk stands. Top: between values. Object: in a top-level object, which is a record or
// holds a list of them. List: between the members of a list. Member: in a list's record. Junk: in
// bytes that begin no value, until a line begins one. Stopped: nothing more is looked at.
type State = "top" | "object" | "list" | "member" | "junk" | "stopped";

/** Keys of the lists that hold records: of log files, and of LookupEvents' answer. */
const LIST_KEYS: readonly Uint8Array[] = ["Records", "Events"].map((key) =>
  new TextEncoder().encode(key)
);

/** What may stand before an object inside another: a line that begins one goes on with it. */
const BEFORE_VALUE: readonly number[] = [OPEN, OPEN_LIST, COMMA, COLON];

// So many unreadable spans on end, without one record between them: this is no log file.
const PROBLEMS_MAX = 100;

/** The byte order mark, which some editors put first. */
const MARK: readonly number[] = [0xef, 0xbb, 0xbf];

/** Splits a whole text at once; see RecordSplitter. */
export function splitRecords(bytes: Uint8Array, limits: Partial<SplitLimits> = {}): Span[] {
  const splitter = new RecordSplitter(limits);
  return [...splitter.push(bytes), ...splitter.end()];
}

/**
 * Cuts records out of a text that comes in blocks. Reads `{"Records": […]}` with other keys before
 * and after, a list, one record, records one after another or one a line, and mixtures of these.
 * All whole records are given; what is broken is given as a span with its `problem`, and the walk
 * goes on where it can. Keeps at most one record of `recordBytesMax` beside the block.
 */
export class RecordSplitter {
  readonly #limits: SplitLimits;
  #state: State = "top";
  readonly #text = new CarriedText();
  #depth = 0;
  #deepest = 0;
  #inString = false;
  /** Lists within lists; records are taken out of each. */
  #listDepth = 0;
  #listInObject = false;
  /** In an object: the offsets of its last own string, the last own byte that is no space … */
  #keyStart = 0;
  #keyEnd = 0;
  #lastByte = 0;
  /** … whether a key that holds records was just read, and whether its list was. */
  #listNext = false;
  #listSeen = false;
  #stopReason = "";
  #problems = 0;
  #spans: Span[] = [];

  constructor(limits: Partial<SplitLimits> = {}) {
    this.#limits = { ...SPLIT_LIMITS, ...limits };
  }

  /** Takes the next block, and answers the spans that end in it, in order. */
  push(block: Uint8Array): readonly Span[] {
    const text = this.#text;
    const { recordBytesMax, bytesMax } = this.#limits;
    this.#spans = [];
    const isValue = this.#state === "member" || this.#state === "object";
    text.join(block, isValue ? recordBytesMax : EXCERPT_BYTES_MAX);
    if (this.#state === "stopped") text.next = text.bytes.length;
    else if (text.base + text.bytes.length > bytesMax) {
      this.#stop(text.start, `Text is longer than ${bytesMax} bytes`);
    }
    while (text.next < text.bytes.length) {
      if (this.#state === "member") this.#walkMember();
      else if (this.#state === "list") this.#walkList();
      else if (this.#state === "object") this.#walkObject();
      else if (this.#state === "junk") this.#walkJunk();
      else this.#walkTop();
    }
    return this.#spans;
  }

  /** True where nothing more is looked at, so that reading on is in vain. */
  get stopped(): boolean {
    return this.#state === "stopped";
  }

  /** Says that the text has ended; answers what was left over, as a span with a problem. */
  end(): readonly Span[] {
    const state = this.#state;
    this.#state = "top";
    if (state === "top") return [];
    const rest = this.#text.excerpt();
    if (state === "stopped") return [{ ...rest, problem: this.#stopReason }];
    if (state === "junk") return [{ ...rest, problem: "Text is not JSON" }];
    const between = state === "list" || (state === "object" && this.#listSeen);
    const inside = between ? "log file" : "record";
    return [{ ...rest, problem: `Text ends inside a ${inside}`, cut: true }];
  }

  /** Ends the walk: all from index `start` on is one unreadable rest. */
  #stop(start: number, reason: string): void {
    this.#text.start = Math.min(start, this.#text.bytes.length);
    this.#text.next = this.#text.bytes.length;
    this.#state = "stopped";
    this.#stopReason = reason;
  }

  /** Gives the value that ends before index `end`, and goes on in `state`. */
  #give(end: number, state: State, problem = this.#limitProblem(end)): void {
    const text = this.#text;
    if (problem === undefined) {
      const bytes = text.bytes.subarray(text.start, end);
      this.#spans.push({ offset: text.base + text.start, bytes });
      this.#problems = 0;
    } else {
      this.#spans.push({ ...text.excerpt(end), problem });
      this.#problems++;
    }
    text.begin(end);
    this.#state = state;
    if (this.#problems >= PROBLEMS_MAX) {
      this.#stop(end, `Text holds no records: ${PROBLEMS_MAX} pieces on end were unreadable`);
    }
  }

  #limitProblem(end: number): string | undefined {
    const { recordBytesMax, depthMax } = this.#limits;
    if (this.#text.tooLong !== undefined || end - this.#text.start > recordBytesMax) {
      return `Record is longer than ${recordBytesMax} bytes`;
    }
    return this.#deepest > depthMax ? `Record nests deeper than ${depthMax} levels` : undefined;
  }

  #begin(state: State, at: number): void {
    this.#state = state;
    this.#text.begin(at);
    this.#text.next = at + 1;
    this.#depth = 1;
    this.#deepest = 1;
    this.#inString = false;
  }

  /** Steps over spaces and commas to the next byte; undefined where the block ends before one. */
  #skip(): number | undefined {
    const { bytes } = this.#text;
    let i = this.#text.next;
    while (i < bytes.length && (isSpace(bytes[i]!) || bytes[i] === COMMA)) i++;
    this.#text.begin(i);
    return bytes[i];
  }

  #walkTop(): void {
    const byte = this.#skip();
    const { next, base } = this.#text;
    if (byte === undefined) return;
    if (byte === OPEN) {
      this.#begin("object", next);
      this.#lastByte = OPEN;
      this.#listNext = false;
      this.#listSeen = false;
    } else if (byte === OPEN_LIST) this.#beginList(next + 1, false);
    else if (byte === MARK[base + next]) this.#text.begin(next + 1);
    else this.#begin("junk", next);
  }

  #beginList(at: number, inObject: boolean): void {
    this.#state = "list";
    this.#text.begin(at);
    this.#listDepth = 1;
    this.#listInObject = inObject;
  }

  #walkList(): void {
    const byte = this.#skip();
    const { next } = this.#text;
    if (byte === undefined) return;
    if (byte === OPEN) this.#begin("member", next);
    else if (byte === OPEN_LIST && this.#listDepth < this.#limits.depthMax) {
      this.#listDepth++;
      this.#text.begin(next + 1);
    } else if (byte === CLOSE_LIST) this.#endList(next + 1);
    else this.#stop(next, "List of records holds something else");
  }

  #endList(at: number): void {
    this.#text.begin(at);
    if (--this.#listDepth > 0) return;
    this.#state = this.#listInObject ? "object" : "top";
    this.#lastByte = CLOSE_LIST;
    this.#listSeen = true;
    this.#depth = 1;
  }

  /** The hot loop: one record of a list, from where it stands to its closing bracket. */
  #walkMember(): void {
    const { bytes } = this.#text;
    const length = bytes.length;
    let i = this.#text.next;
    let depth = this.#depth;
    let deepest = this.#deepest;
    if (this.#inString) i = endOfString(bytes, i);
    while (i < length) {
      const byte = bytes[i++]!;
      if (byte === QUOTE) i = endOfString(bytes, i);
      else if (byte < OPEN_LIST) continue;
      else if (byte === OPEN || byte === OPEN_LIST) {
        if (++depth > deepest) deepest = depth;
      } else if ((byte === CLOSE || byte === CLOSE_LIST) && --depth === 0) break;
    }
    this.#deepest = deepest;
    this.#depth = depth;
    this.#inString = i > length;
    this.#text.next = i > length ? i - 1 : i;
    if (depth === 0) this.#give(i, "list");
  }

  /**
   * A top-level object. Its own keys are looked at, for the list; and a line that breaks off, in a
   * file of one record a line, must not take the following lines with it.
   */
  #walkObject(): void {
    const text = this.#text;
    const { bytes } = text;
    while (text.next < bytes.length && this.#state === "object") {
      const i = text.next++;
      const byte = bytes[i]!;
      if (this.#inString) {
        if (byte === BACKSLASH) text.next++;
        else if (byte === QUOTE) this.#endString(i);
        else if (byte === LF) this.#breakLine(i + 1);
        continue;
      }
      if (isSpace(byte)) continue;
      if (byte === OPEN && bytes[i - 1] === LF && !BEFORE_VALUE.includes(this.#lastByte)) {
        this.#breakLine(i);
        continue;
      }
      this.#lastByte = byte;
      this.#walkObjectPart(byte, i);
    }
  }

  #walkObjectPart(byte: number, i: number): void {
    if (byte === QUOTE) {
      this.#inString = true;
      if (this.#depth === 1) this.#keyStart = this.#text.base + i + 1;
    } else if (byte === OPEN_LIST && this.#listNext) {
      this.#listNext = false;
      this.#beginList(i + 1, true);
    } else if (byte === OPEN || byte === OPEN_LIST) {
      this.#deepest = Math.max(this.#deepest, ++this.#depth);
    } else if (byte === CLOSE || byte === CLOSE_LIST) {
      if (--this.#depth === 0) this.#endObject(i + 1);
    }
    this.#listNext = byte === COLON && this.#depth === 1 &&
      LIST_KEYS.some((key) => this.#text.holds(key, this.#keyStart, this.#keyEnd));
  }

  #endString(at: number): void {
    this.#inString = false;
    if (this.#depth === 1) this.#keyEnd = this.#text.base + at;
  }

  /** A log file's object holds nothing else that is kept; any other object is a record. */
  #endObject(end: number): void {
    if (!this.#listSeen) return this.#give(end, "top");
    this.#state = "top";
    this.#text.begin(end);
  }

  #breakLine(at: number): void {
    this.#give(at, "top", "Record breaks off at the end of its line");
  }

  #walkJunk(): void {
    const text = this.#text;
    const { bytes } = text;
    while (text.next < bytes.length) {
      const first = bytes[text.next];
      if (bytes[text.next - 1] === LF && (first === OPEN || first === OPEN_LIST)) {
        return this.#give(text.next, "top", "Text is not JSON");
      }
      const lineEnd = bytes.indexOf(LF, text.next);
      text.next = lineEnd < 0 ? bytes.length : lineEnd + 1;
    }
  }
}
