// Cuts records out of a file's bytes by following only strings and brackets: what is inside a record
// is checked by whoever parses it. Receiver `cloudtrail` reads its files through this.

import { isSpace } from "./json-text.ts";

/** What a split refuses, so that no input takes memory or time without end. */
export interface SplitLimits {
  /** Longest record; a longer one is skipped and reported. */
  readonly recordBytesMax: number;
  /** Deepest nesting inside a record; a deeper one is skipped and reported. */
  readonly depthMax: number;
  /** Longest text in all; what follows is not looked at. */
  readonly bytesMax: number;
}

/**
 * CloudTrail's records have at most 256 KB (1 MB in large event data stores) and nest below 30; its
 * files have at most 50 MB, so 256 MiB is far from any real one and still ends a gzip bomb.
 */
export const SPLIT_LIMITS: SplitLimits = {
  recordBytesMax: 1024 * 1024,
  depthMax: 128,
  bytesMax: 256 * 1024 * 1024,
};

/** Raw bytes kept of what cannot be split. */
export const EXCERPT_BYTES_MAX = 256 * 1024;

/** One record's text, or, with `problem`, bytes that are no record (at most EXCERPT_BYTES_MAX). */
export interface Span {
  /** Where it begins in the whole text. */
  readonly offset: number;
  /** A view of the block it was found in, or memory of its own. */
  readonly bytes: Uint8Array;
  /** Why this is no record. */
  readonly problem?: string;
  /** True where the text ended too early: more of it may yet come. */
  readonly cut?: boolean;
}

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

// So many unreadable spans on end, without one record between them: this is no log file.
const PROBLEMS_MAX = 100;

/** The byte order mark, which some editors put first. */
const MARK: readonly number[] = [0xef, 0xbb, 0xbf];

const NONE = new Uint8Array(0);

/** Splits a whole text at once; see RecordSplitter. */
export function splitRecords(bytes: Uint8Array, limits: Partial<SplitLimits> = {}): Span[] {
  const splitter = new RecordSplitter(limits);
  return [...splitter.push(bytes), ...splitter.end()];
}

/**
 * Cuts records out of a text that comes in blocks. Reads `{"Records": […]}` with other keys before
 * and after, a list, one record, records one after another or one a line, and mixtures of these. All
 * whole records are given; what is broken is given as a span with its `problem`, and the walk goes on
 * where it can. Keeps at most one record of `recordBytesMax` beside the block.
 */
export class RecordSplitter {
  readonly #limits: SplitLimits;
  #state: State = "top";
  /** The bytes at hand: what is carried over from the last block, then the present one. */
  #bytes: Uint8Array = NONE;
  /** Offset of `#bytes` in the whole text. */
  #base = 0;
  /** Index of the next byte to look at. */
  #next = 0;
  /** Index where the present value begins; everything from here is carried over. */
  #start = 0;
  /** Begin of the present value once it is too long to be carried. */
  #tooLong: { readonly offset: number; readonly bytes: Uint8Array } | undefined;
  #depth = 0;
  #deepest = 0;
  #inString = false;
  /** Lists within lists; records are taken out of each. */
  #listDepth = 0;
  #listInObject = false;
  /** In an object: where its last own string lies, the last own byte that is no space … */
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
    this.#spans = [];
    this.#join(block);
    if (this.#state !== "stopped" && this.#base + this.#bytes.length > this.#limits.bytesMax) {
      this.#stop(this.#start, `Text is longer than ${this.#limits.bytesMax} bytes`);
    }
    while (this.#next < this.#bytes.length && this.#state !== "stopped") {
      if (this.#state === "member") this.#walkMember();
      else if (this.#state === "list") this.#walkList();
      else if (this.#state === "object") this.#walkObject();
      else if (this.#state === "junk") this.#walkJunk();
      else this.#walkTop();
    }
    return this.#spans;
  }

  /** Says that the text has ended; answers what was left over, as spans with a problem. */
  end(): readonly Span[] {
    this.#spans = [];
    const rest = this.#excerpt();
    if (this.#state === "stopped") this.#spans.push({ ...rest, problem: this.#stopReason });
    else if (this.#state === "junk") this.#spans.push({ ...rest, problem: "Text is not JSON" });
    else if (this.#state !== "top") {
      this.#spans.push({ ...rest, problem: `Text ends inside a ${this.#inside()}`, cut: true });
    }
    this.#state = "top";
    return this.#spans;
  }

  #inside(): string {
    if (this.#state === "list") return "list of records";
    return this.#listSeen && this.#state === "object" ? "log file" : "record";
  }

  /** Makes the carried bytes and the block one. Copying a block costs less than looking at two. */
  #join(block: Uint8Array): void {
    if (this.#start > 0 || this.#bytes.length === 0) {
      this.#bytes = this.#bytes.subarray(this.#start);
    }
    this.#base += this.#start;
    this.#next -= this.#start;
    this.#keyStart -= this.#start;
    this.#keyEnd -= this.#start;
    this.#start = 0;
    this.#dropTooLong();
    if (this.#bytes.length === 0) {
      this.#bytes = block;
      return;
    }
    const joined = new Uint8Array(this.#bytes.length + block.length);
    joined.set(this.#bytes);
    joined.set(block, this.#bytes.length);
    this.#bytes = joined;
  }

  /** Keeps only the excerpt of a value, or of junk, that is longer than may be carried. */
  #dropTooLong(): void {
    const isValue = this.#state === "member" || this.#state === "object";
    const bytesMax = isValue ? this.#limits.recordBytesMax : EXCERPT_BYTES_MAX;
    if (this.#bytes.length <= bytesMax && this.#tooLong === undefined) return;
    this.#tooLong ??= this.#excerpt();
    // An object's key may lie across the end of the block; the longest looked for is "Records".
    const drop = Math.max(0, this.#bytes.length - 16);
    this.#bytes = this.#bytes.subarray(drop);
    this.#base += drop;
    this.#next -= drop;
    this.#keyStart -= drop;
    this.#keyEnd -= drop;
  }

  #excerpt(): { offset: number; bytes: Uint8Array } {
    if (this.#tooLong !== undefined) return this.#tooLong;
    const bytes = this.#bytes.slice(this.#start, this.#start + EXCERPT_BYTES_MAX);
    return { offset: this.#base + this.#start, bytes };
  }

  /** Ends the walk: all from index `start` on is one unreadable rest. */
  #stop(start: number, reason: string): void {
    this.#start = Math.min(start, this.#bytes.length);
    this.#next = this.#bytes.length;
    this.#state = "stopped";
    this.#stopReason = reason;
  }

  /** Gives the value that ends before index `end`, and goes on in `state`. */
  #give(end: number, state: State, problem = this.#limitProblem(end)): void {
    if (problem === undefined) {
      const bytes = this.#bytes.subarray(this.#start, end);
      this.#spans.push({ offset: this.#base + this.#start, bytes });
      this.#problems = 0;
    } else {
      const { offset, bytes } = this.#excerpt();
      const length = this.#base + end - offset;
      this.#spans.push({ offset, bytes: bytes.subarray(0, length), problem });
      this.#problems++;
    }
    this.#tooLong = undefined;
    this.#next = end;
    this.#start = end;
    this.#state = state;
    if (this.#problems >= PROBLEMS_MAX) {
      this.#stop(end, `Text holds no records: ${PROBLEMS_MAX} pieces on end were unreadable`);
    }
  }

  #limitProblem(end: number): string | undefined {
    const { recordBytesMax, depthMax } = this.#limits;
    if (this.#tooLong !== undefined || end - this.#start > recordBytesMax) {
      return `Record is longer than ${recordBytesMax} bytes`;
    }
    return this.#deepest > depthMax ? `Record nests deeper than ${depthMax} levels` : undefined;
  }

  #begin(state: State, at: number): void {
    this.#state = state;
    this.#start = at;
    this.#next = at + 1;
    this.#depth = 1;
    this.#deepest = 1;
    this.#inString = false;
  }

  #walkTop(): void {
    const bytes = this.#bytes;
    let i = this.#next;
    while (i < bytes.length && (isSpace(bytes[i]!) || bytes[i] === COMMA)) i++;
    this.#start = i;
    this.#next = i;
    if (i === bytes.length) return;
    if (bytes[i] === OPEN) {
      this.#begin("object", i);
      this.#lastByte = OPEN;
      this.#listNext = false;
      this.#listSeen = false;
    } else if (bytes[i] === OPEN_LIST) this.#beginList(i + 1, false);
    else if (bytes[i] === MARK[this.#base + i]) this.#start = this.#next = i + 1;
    else this.#begin("junk", i);
  }

  #beginList(at: number, inObject: boolean): void {
    this.#state = "list";
    this.#start = this.#next = at;
    this.#tooLong = undefined;
    this.#listDepth = 1;
    this.#listInObject = inObject;
  }

  #walkList(): void {
    const bytes = this.#bytes;
    let i = this.#next;
    while (i < bytes.length && (isSpace(bytes[i]!) || bytes[i] === COMMA)) i++;
    this.#start = this.#next = i;
    if (i === bytes.length) return;
    if (bytes[i] === OPEN) this.#begin("member", i);
    else if (bytes[i] === OPEN_LIST && this.#listDepth < this.#limits.depthMax) {
      this.#listDepth++;
      this.#start = this.#next = i + 1;
    } else if (bytes[i] === CLOSE_LIST) this.#endList(i + 1);
    else this.#stop(i, "List of records holds something else");
  }

  #endList(at: number): void {
    this.#start = this.#next = at;
    if (--this.#listDepth > 0) return;
    this.#state = this.#listInObject ? "object" : "top";
    this.#lastByte = CLOSE_LIST;
    this.#listSeen = true;
    this.#depth = 1;
  }

  /** The hot loop: one record of a list, from where it stands to its closing bracket. */
  #walkMember(): void {
    const bytes = this.#bytes;
    const length = bytes.length;
    let i = this.#next;
    let depth = this.#depth;
    let deepest = this.#deepest;
    let inString = this.#inString;
    while (i < length) {
      const byte = bytes[i++]!;
      if (inString) {
        if (byte === QUOTE) inString = false;
        else if (byte === BACKSLASH) i++;
      } else if (byte === QUOTE) inString = true;
      else if (byte < OPEN_LIST) continue;
      else if (byte === OPEN || byte === OPEN_LIST) {
        if (++depth > deepest) deepest = depth;
      } else if ((byte === CLOSE || byte === CLOSE_LIST) && --depth === 0) break;
    }
    this.#deepest = deepest;
    this.#depth = depth;
    this.#inString = inString;
    this.#next = i;
    if (depth === 0) this.#give(i, "list");
  }

  /**
   * A top-level object. Its own keys are looked at, for the list; and a line that breaks off, in a
   * file of one record a line, must not take the following lines with it.
   */
  #walkObject(): void {
    const bytes = this.#bytes;
    while (this.#next < bytes.length && this.#state === "object") {
      const i = this.#next++;
      const byte = bytes[i]!;
      if (this.#inString) {
        if (byte === BACKSLASH) this.#next++;
        else if (byte === QUOTE) this.#endString(i);
        else if (byte === LF) this.#breakLine(i + 1);
        continue;
      }
      if (isSpace(byte)) continue;
      if (byte === OPEN && bytes[i - 1] === LF && !"{[,:".includes(char(this.#lastByte))) {
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
      if (this.#depth === 1) this.#keyStart = i + 1;
    } else if (byte === OPEN_LIST && this.#listNext) {
      this.#listNext = false;
      this.#beginList(i + 1, true);
    } else if (byte === OPEN || byte === OPEN_LIST) {
      this.#deepest = Math.max(this.#deepest, ++this.#depth);
    } else if (byte === CLOSE || byte === CLOSE_LIST) {
      if (--this.#depth === 0) this.#endObject(i + 1);
    }
    this.#listNext = byte === COLON && this.#depth === 1 && this.#isListKey();
  }

  #endString(at: number): void {
    this.#inString = false;
    if (this.#depth === 1) this.#keyEnd = at;
  }

  #isListKey(): boolean {
    return LIST_KEYS.some((key) => {
      if (this.#keyEnd - this.#keyStart !== key.length || this.#keyStart < 0) return false;
      return key.every((byte, i) => this.#bytes[this.#keyStart + i] === byte);
    });
  }

  /** A log file's object holds nothing else that is kept; any other object is a record. */
  #endObject(end: number): void {
    if (!this.#listSeen) return this.#give(end, "top");
    this.#state = "top";
    this.#start = this.#next = end;
    this.#tooLong = undefined;
    this.#listSeen = false;
  }

  /** The present object broke off in the line before index `at`. */
  #breakLine(at: number): void {
    this.#give(at, "top", "Record breaks off at the end of its line");
  }

  #walkJunk(): void {
    const bytes = this.#bytes;
    while (this.#next < bytes.length) {
      const first = bytes[this.#next];
      const startsLine = bytes[this.#next - 1] === LF;
      if (startsLine && (first === OPEN || first === OPEN_LIST)) {
        return this.#give(this.#next, "top", "Text is not JSON");
      }
      const lineEnd = bytes.indexOf(LF, this.#next);
      this.#next = lineEnd < 0 ? bytes.length : lineEnd + 1;
    }
  }
}

function char(byte: number): string {
  return String.fromCharCode(byte);
}
