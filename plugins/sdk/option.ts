// Schemas of the option types that YAML has no spelling of its own for: durations and sizes.

import { z } from "zod";

const DURATION_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

const SIZE_BYTES: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1000,
  KB: 1000,
  KiB: 1024,
  MB: 1000 ** 2,
  MiB: 1024 ** 2,
  GB: 1000 ** 3,
  GiB: 1024 ** 3,
  TB: 1000 ** 4,
  TiB: 1024 ** 4,
};

/** A time span such as `500ms`, `5s`, `1h` or `1h30m`; the value is in milliseconds. */
export const duration = z.codec(z.string().meta({ examples: ["5s"] }), z.number(), {
  decode(text, ctx) {
    const ms = measure(text, /(\d+(?:\.\d+)?)(ms|s|m|h|d)/y, DURATION_MS);
    if (ms !== undefined) return ms;
    ctx.issues.push({
      code: "custom",
      input: text,
      message: "Expected a duration such as 500ms, 5s, 10m or 1h",
    });
    return z.NEVER;
  },
  encode: (ms) => spell(ms, DURATION_MS),
});

/** A size such as `64KiB`, `8MiB` or `1GiB`; the value is in bytes. */
export const size = z.codec(z.string().meta({ examples: ["8MiB"] }), z.number(), {
  decode(text, ctx) {
    const bytes = measure(text, /(\d+(?:\.\d+)?)(B|kB|KB|KiB|MB|MiB|GB|GiB|TB|TiB)/y, SIZE_BYTES);
    if (bytes !== undefined) return Math.floor(bytes);
    ctx.issues.push({
      code: "custom",
      input: text,
      message: "Expected a size such as 64KiB, 8MiB or 1GiB",
    });
    return z.NEVER;
  },
  encode: (bytes) => spell(bytes, SIZE_BYTES),
});

/** In the largest unit that leaves no fraction. */
function spell(value: number, units: Readonly<Record<string, number>>): string {
  let [unit = "", divisor = 1] = Object.entries(units)[0] ?? [];
  for (const [name, worth] of Object.entries(units)) {
    if (worth > divisor && value >= worth && value % worth === 0) [unit, divisor] = [name, worth];
  }
  return `${value / divisor}${unit}`;
}

function measure(
  text: string,
  part: RegExp,
  units: Readonly<Record<string, number>>,
): number | undefined {
  // Of nothing the unit says nothing.
  if (text === "0") return 0;
  let total = 0;
  part.lastIndex = 0;
  let at = 0;
  while (at < text.length) {
    const match = part.exec(text);
    if (match === null) return undefined;
    total += Number(match[1]) * (units[match[2]!] ?? Number.NaN);
    at = part.lastIndex;
  }
  return at > 0 && Number.isFinite(total) ? total : undefined;
}
