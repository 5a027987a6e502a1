// Ids in the form CloudTrail's have, derived from what they stand for: the same for the same parts.

import { hash } from "node:crypto";

/** A UUID (version 8) out of texts. */
export function derivedId(...parts: readonly string[]): string {
  return uuidOf(hash("sha256", JSON.stringify(parts), "hex"));
}

/** A UUID (version 8) out of the hexadecimal digits of a SHA-256. */
export function uuidOf(hex: string): string {
  const variant = "89ab"[parseInt(hex[16]!, 16) & 3]!;
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-` +
    `${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
