// Numbers as messages spell them.

import { size } from "./option.ts";

/** `1 record`, `2 records`; a plural that is not made with an s is given. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** Bytes as an option would say them, where that is short; else in the largest unit, rounded. */
export function readableSize(bytes: number): string {
  const exact = size.encode(bytes);
  if (exact.length <= 7) return exact;
  for (
    const [unit, worth] of [["TiB", 1024 ** 4], ["GiB", 1024 ** 3], ["MiB", 1024 ** 2]] as const
  ) {
    if (bytes >= worth) return `${Math.round(bytes / worth * 10) / 10}${unit}`;
  }
  return bytes < 1024 ? exact : `${Math.round(bytes / 1024 * 10) / 10}KiB`;
}
