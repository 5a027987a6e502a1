// Cuts a stream into messages as RFC 6587 has them: each frame either begins with its length and a
// space (octet counting) or ends with a line end. Keeps the bytes of one unfinished frame at most.

/** Takes what is found; answers false when it wants no more for now. */
export interface FrameTaker {
  /** A message without length or line end. `offset` is where its frame begins in the stream. */
  frame(bytes: Uint8Array, offset: number): boolean;
  /** Bytes that are no message, cut at the limit, and why. */
  reject(bytes: Uint8Array, offset: number, reason: string): boolean;
}

/** How frames are told apart; `auto` looks at how each one begins. */
export type Framing = "auto" | "octet_counting" | "newline";

/** How to cut. */
export interface FrameOptions {
  readonly framing: Framing;
  readonly frameBytesMax: number;
  /** Whether a NUL ends a message too, as the C library's syslog() does on stream sockets. */
  readonly endsAtNul: boolean;
}

type State = "between" | "length" | "line" | "counted" | "skip line" | "skip counted" | "broken";

const NUL = 0;
const LF = 10;
const CR = 13;
const SPACE = 32;
const ZERO = 48;
/** Longer numbers are no lengths. */
const LENGTH_DIGITS_MAX = 9;
/** Of an announced length beyond this, nobody waits for the end. */
const SKIPPED_BYTES_MAX = 16 * 1024 * 1024;
const FIRST_ROOM_BYTES = 4096;
const EMPTY = new Uint8Array(0);

/** Splits one stream. */
export class FrameSplitter {
  readonly #options: FrameOptions;
  readonly #taker: FrameTaker;
  #state: State = "between";
  /** Where the frame begins in the stream. */
  #start = 0;
  #digits = 0;
  /** The length that was read so far; later, the bytes still to skip. */
  #length = 0;
  #held: Uint8Array = EMPTY;
  #heldLength = 0;
  #more = true;

  constructor(options: FrameOptions, taker: FrameTaker) {
    this.#options = options;
    this.#taker = taker;
  }

  /** Where the unfinished frame begins in the stream; undefined between frames. */
  get unfinished(): number | undefined {
    return this.#state === "between" ? undefined : this.#start;
  }

  /** The stream can no longer be cut: what comes is not looked at. */
  get isBroken(): boolean {
    return this.#state === "broken";
  }

  /**
   * Cuts `bytes` from index `from` on; `base` is the stream's offset of index 0. Returns the index
   * of the first byte that was not used, for the next call, because the taker wants no more.
   */
  feed(bytes: Uint8Array, from: number, base: number): number {
    let at = from;
    while (at < bytes.length) {
      at = this.#step(bytes, at, base);
      if (this.#more) continue;
      this.#more = true;
      return at;
    }
    return at;
  }

  /** The stream ends here: in order, or broken off. */
  end(isInOrder: boolean): void {
    const state = this.#state;
    this.#state = "between";
    const missing = this.#length - this.#heldLength;
    const digits = state === "counted" ? new TextEncoder().encode(`${this.#length} `) : EMPTY;
    const held = this.#release();
    if (state === "line" || state === "length") {
      if (isInOrder && held.length > 0) this.#emit(held);
      else if (held.length > 0) this.#refuse(held, "Connection broke off within a message");
    } else if (state === "counted") {
      const reason = `Connection ended ${missing} bytes before its message did`;
      this.#refuse(held.length > 0 ? held : digits, reason);
    }
  }

  #step(bytes: Uint8Array, at: number, base: number): number {
    switch (this.#state) {
      case "between":
        return this.#begin(bytes, at, base);
      case "length":
        return this.#readLength(bytes, at);
      case "line":
        return this.#readLine(bytes, at);
      case "counted":
        return this.#readCounted(bytes, at);
      case "skip line":
        return this.#skipLine(bytes, at);
      case "skip counted":
        return this.#skipCounted(bytes, at);
      case "broken":
        return bytes.length;
    }
  }

  #begin(bytes: Uint8Array, at: number, base: number): number {
    const byte = bytes[at]!;
    // An empty line, or a line end behind a counted frame.
    if (byte === LF || byte === CR || (byte === NUL && this.#options.endsAtNul)) return at + 1;
    this.#start = base + at;
    const { framing } = this.#options;
    if (framing !== "newline" && byte > ZERO && byte <= ZERO + 9) {
      this.#state = "length";
      this.#digits = 0;
      this.#length = 0;
    } else if (framing === "octet_counting") {
      return this.#break(bytes, at, "Message does not begin with its length");
    } else this.#state = "line";
    return at;
  }

  #readLength(bytes: Uint8Array, at: number): number {
    let next = at;
    for (; next < bytes.length; next++) {
      const digit = bytes[next]! - ZERO;
      if (!(digit >= 0 && digit <= 9) || ++this.#digits > LENGTH_DIGITS_MAX) break;
      this.#length = this.#length * 10 + digit;
    }
    if (next === bytes.length) {
      this.#hold(bytes, at, next);
      return next;
    }
    if (bytes[next] !== SPACE) {
      if (this.#options.framing !== "octet_counting") this.#state = "line";
      else return this.#break(bytes, at, "Message does not begin with its length");
      return at;
    }
    this.#heldLength = 0;
    if (this.#length > SKIPPED_BYTES_MAX) {
      const reason =
        `Message of ${this.#length} bytes: the limit is ${this.#options.frameBytesMax}`;
      return this.#break(bytes, at, reason);
    }
    this.#state = "counted";
    return next + 1;
  }

  #readCounted(bytes: Uint8Array, at: number): number {
    const { frameBytesMax } = this.#options;
    const wanted = Math.min(this.#length, frameBytesMax) - this.#heldLength;
    const end = Math.min(bytes.length, at + wanted);
    if (end - at < wanted) {
      this.#hold(bytes, at, end);
      return end;
    }
    const frame = this.#whole(bytes, at, end);
    if (this.#length > frameBytesMax) {
      this.#length -= frameBytesMax;
      this.#state = "skip counted";
      this.#refuse(frame, `Message is longer than ${frameBytesMax} bytes`);
    } else {
      this.#state = "between";
      this.#emit(frame);
    }
    return end;
  }

  #readLine(bytes: Uint8Array, at: number): number {
    const { frameBytesMax } = this.#options;
    const end = this.#lineEnd(bytes, at);
    const stop = end < 0 ? bytes.length : end;
    // One more for the carriage return, which is no part of the message.
    if (this.#heldLength + stop - at > frameBytesMax + 1) {
      const cut = Math.max(at, at + frameBytesMax - this.#heldLength);
      const head = this.#whole(bytes, at, cut).subarray(0, frameBytesMax);
      this.#state = end < 0 ? "skip line" : "between";
      this.#refuse(head, `Message is longer than ${frameBytesMax} bytes`);
      return end < 0 ? bytes.length : end + 1;
    }
    if (end < 0) {
      this.#hold(bytes, at, stop);
      return stop;
    }
    this.#state = "between";
    this.#emit(this.#whole(bytes, at, end));
    return end + 1;
  }

  #skipLine(bytes: Uint8Array, at: number): number {
    const end = this.#lineEnd(bytes, at);
    if (end < 0) return bytes.length;
    this.#state = "between";
    return end + 1;
  }

  #skipCounted(bytes: Uint8Array, at: number): number {
    const skipped = Math.min(this.#length, bytes.length - at);
    this.#length -= skipped;
    if (this.#length === 0) this.#state = "between";
    return at + skipped;
  }

  #lineEnd(bytes: Uint8Array, at: number): number {
    const end = bytes.indexOf(LF, at);
    if (!this.#options.endsAtNul) return end;
    const nul = bytes.indexOf(NUL, at);
    return nul < 0 || (end >= 0 && end < nul) ? end : nul;
  }

  #emit(bytes: Uint8Array): void {
    const { frameBytesMax } = this.#options;
    const end = bytes.length - (bytes[bytes.length - 1] === CR ? 1 : 0);
    if (end > frameBytesMax) {
      const reason = `Message is longer than ${frameBytesMax} bytes`;
      this.#refuse(bytes.subarray(0, frameBytesMax), reason);
    } else if (end > 0) this.#more = this.#taker.frame(bytes.subarray(0, end), this.#start);
  }

  #refuse(bytes: Uint8Array, reason: string): void {
    this.#more = this.#taker.reject(bytes, this.#start, reason);
  }

  #break(bytes: Uint8Array, at: number, reason: string): number {
    this.#state = "broken";
    const rest = this.#whole(bytes, at, bytes.length);
    this.#refuse(rest.subarray(0, this.#options.frameBytesMax), reason);
    return bytes.length;
  }

  /** The frame that ends here: as it stands in `bytes`, or put together with what was held. */
  #whole(bytes: Uint8Array, from: number, to: number): Uint8Array {
    if (this.#heldLength === 0) return bytes.subarray(from, to);
    this.#hold(bytes, from, to);
    return this.#release();
  }

  /** Keeps a part of a frame. Room doubles, so that a frame in small pieces costs no more. */
  #hold(bytes: Uint8Array, from: number, to: number): void {
    const length = this.#heldLength + to - from;
    if (length > this.#held.length) {
      const room = new Uint8Array(Math.max(length, this.#held.length * 2, FIRST_ROOM_BYTES));
      room.set(this.#held.subarray(0, this.#heldLength));
      this.#held = room;
    }
    this.#held.set(bytes.subarray(from, to), this.#heldLength);
    this.#heldLength = length;
  }

  /** Hands over what was held, with its memory: the taker may keep it. */
  #release(): Uint8Array {
    const frame = this.#held.subarray(0, this.#heldLength);
    this.#held = EMPTY;
    this.#heldLength = 0;
    return frame;
  }
}
