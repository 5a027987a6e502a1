// Text of records and letters on a terminal: whatever it holds, it cannot move the cursor, change
// colours or hide what follows.

import { Buffer } from "node:buffer";

// Controls, and marks that turn the direction of text or break lines where none is seen.
const UNSAFE = /[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}\ufeff]/gu;

/** Escapes what a terminal would act upon as `\u001b`, which within JSON means the same. */
export function escapeText(text: string): string {
  return text.replace(
    UNSAFE,
    (char) => char === "\n" ? char : `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Bytes on one line: line breaks escaped too, and `\xff` where they are no UTF-8. */
export function escapeBytes(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const text = isUtf8(buffer) ? buffer.toString("utf8") : buffer.toString("latin1").replace(
    /[\u0080-\u00ff]/g,
    (char) => `\\x${char.charCodeAt(0).toString(16)}`,
  );
  return escapeText(text).replaceAll("\n", "\\n");
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}

/** A moment as people and machines read it; a dash where it is not known. */
export function formatTime(ms: number): string {
  return ms > 0 && ms < 8.64e15 ? `${new Date(ms).toISOString().slice(0, 19)}Z` : "-";
}
