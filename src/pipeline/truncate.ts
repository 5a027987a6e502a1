// Cutting text to a number of bytes without breaking a character. Used by identity, normalize,
// trim.

const encoder = new TextEncoder();

/** The longest beginning of the text that takes at most `bytesMax` bytes of UTF-8. */
export function truncate(text: string, bytesMax: number): string {
  // No UTF-16 unit takes more than three bytes, so most texts need no look at all.
  if (text.length * 3 <= bytesMax) return text;
  const { read } = encoder.encodeInto(text, new Uint8Array(bytesMax));
  return read === text.length ? text : text.slice(0, read);
}
