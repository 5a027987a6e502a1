// Documents over several lines: the first step of the format. Vault writes one a line; what people
// pretty-print stands over many. Such a document begins with a line that is only `{`; a line that
// begins with `{` while one waits begins another, and the unfinished one is given up.

import { Buffer } from "node:buffer";
import type { FramePosition } from "../../sdk/format.ts";

const OPEN = 0x7b;
const CLOSE = 0x7d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Joins the lines of documents that stand over several. */
export class Lines {
  readonly #bytesMax: number;
  readonly #giveUp: () => void;
  #lines: Uint8Array[] = [];
  #at: FramePosition | undefined;
  #bytes = 0;
  #depth = 0;

  /** `giveUp` is called for each document that was begun and never ended. */
  constructor(bytesMax: number, giveUp: () => void) {
    this.#bytesMax = bytesMax;
    this.#giveUp = giveUp;
  }

  /** The whole document that a frame is or ends, and where it began; undefined while one waits. */
  add(frame: Uint8Array, at: FramePosition): [Uint8Array, FramePosition] | undefined {
    if (this.#at === undefined || frame[0] === OPEN) {
      this.end();
      if (!isOpening(frame)) return [frame, at];
      this.#at = at;
    }
    const begun = this.#at;
    this.#lines.push(Uint8Array.from(frame));
    this.#bytes += frame.length + 1;
    this.#depth += depthOf(frame);
    if (this.#depth <= 0) {
      const document = Buffer.concat(this.#lines.flatMap((line) => [line, Uint8Array.of(0x0a)]));
      this.#clear();
      return [document, begun];
    }
    if (this.#bytes > this.#bytesMax) this.end();
    return undefined;
  }

  /** Gives up what waits. */
  end(): void {
    if (this.#at === undefined) return;
    this.#clear();
    this.#giveUp();
  }

  /** Where the document that waits begins. */
  pending(): FramePosition | undefined {
    return this.#at;
  }

  #clear(): void {
    this.#lines = [];
    this.#at = undefined;
    this.#bytes = 0;
    this.#depth = 0;
  }
}

/** Whether the line is an opening brace alone. */
function isOpening(frame: Uint8Array): boolean {
  if (frame[0] !== OPEN) return false;
  for (let at = 1; at < frame.length; at++) if (frame[at]! > 0x20) return false;
  return true;
}

/** Braces opened less braces closed. A text never goes over a line's end. */
function depthOf(frame: Uint8Array): number {
  let depth = 0;
  let inText = false;
  for (let at = 0; at < frame.length; at++) {
    const byte = frame[at];
    if (inText) {
      if (byte === BACKSLASH) at++;
      else if (byte === QUOTE) inText = false;
    } else if (byte === QUOTE) inText = true;
    else if (byte === OPEN) depth++;
    else if (byte === CLOSE) depth--;
  }
  return depth;
}
