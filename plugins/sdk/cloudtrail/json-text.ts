// JSON as bytes: what can be done to a record's text without parsing and writing it again, so that
// number spellings, escapes and unknown fields survive. Splitting a file is in record-splitter.ts.

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * The same JSON text on one line: where the text holds a line break, whitespace between its parts is
 * taken out; else the same bytes come back, not a copy. Nothing inside strings changes.
 */
export function compactJson(bytes: Uint8Array): Uint8Array {
  if (bytes.indexOf(LF) < 0 && bytes.indexOf(CR) < 0) return bytes;
  const out = new Uint8Array(bytes.length);
  let length = 0;
  let inString = false;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if (inString) {
      if (byte === BACKSLASH) {
        out[length++] = byte;
        if (++i < bytes.length) out[length++] = bytes[i]!;
        continue;
      }
      if (byte === QUOTE) inString = false;
    } else {
      if (isSpace(byte)) continue;
      if (byte === QUOTE) inString = true;
    }
    out[length++] = byte;
  }
  return out.subarray(0, length);
}

/** True for the four bytes that JSON allows between its parts. */
export function isSpace(byte: number): boolean {
  return byte === SPACE || byte === LF || byte === CR || byte === TAB;
}
