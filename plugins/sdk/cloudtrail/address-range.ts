// Ranges of IP addresses in CIDR notation, and whether an address lies in one. For event patterns
// and whatever else compares addresses.

import { isIP } from "node:net";

/** A compiled range: the address's sixteen-bit words, and how many leading bits count. */
export interface AddressRange {
  readonly words: readonly number[];
  readonly bits: number;
}

/** Reads `10.0.0.0/8`, `2001:db8::/32` or a single address; undefined for all else. */
export function parseRange(text: string): AddressRange | undefined {
  const slash = text.indexOf("/");
  const words = wordsOf(slash < 0 ? text : text.slice(0, slash));
  if (words === undefined) return undefined;
  const bitsMax = words.length * 16;
  if (slash < 0) return { words, bits: bitsMax };
  const mask = text.slice(slash + 1);
  if (!/^\d{1,3}$/.test(mask) || Number(mask) > bitsMax) return undefined;
  return { words, bits: Number(mask) };
}

/** Whether the text is an address of the range. An IPv4 address is in no range of IPv6 addresses. */
export function isInRange(text: string, range: AddressRange): boolean {
  // What is told apart at its first character needs no parsing; most texts are no addresses.
  const first = text.charCodeAt(0);
  if (text.length > 45 || !(first === 0x3a || isHexDigit(first))) return false;
  const words = wordsOf(text);
  if (words === undefined || words.length !== range.words.length) return false;
  for (let i = 0, left = range.bits; left > 0; i++, left -= 16) {
    const shift = left >= 16 ? 0 : 16 - left;
    if (words[i]! >> shift !== range.words[i]! >> shift) return false;
  }
  return true;
}

function isHexDigit(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || ((code | 0x20) >= 0x61 && (code | 0x20) <= 0x66);
}

function wordsOf(text: string): number[] | undefined {
  switch (isIP(text)) {
    case 4:
      return dotted(text);
    case 6:
      return text.includes("%") ? undefined : colons(text);
    default:
      return undefined;
  }
}

function dotted(text: string): number[] {
  const [a, b, c, d] = text.split(".").map(Number) as [number, number, number, number];
  return [a << 8 | b, c << 8 | d];
}

function colons(text: string): number[] {
  const [head = "", tail] = text.split("::");
  const before = groups(head);
  if (tail === undefined) return before;
  const after = groups(tail);
  return [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after];
}

function groups(part: string): number[] {
  if (part === "") return [];
  return part.split(":").flatMap((group) =>
    group.includes(".") ? dotted(group) : [Number.parseInt(group, 16)]
  );
}
