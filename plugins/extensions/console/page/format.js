// How values are written: times in UTC, numbers, sizes, and texts whose invisible characters are shown.

// Control characters, those that hide or change the direction, ends of lines, halves of characters.
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/**
 * A text whose invisible characters are written as in JSON.
 * @param {unknown} value
 */
export function visible(value) {
  return String(value ?? "").replace(INVISIBLE, (sign) => {
    const code = (sign.codePointAt(0) ?? 0).toString(16);
    return code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, "0")}`;
  });
}

/**
 * `2026-11-22 15:04:05`, in UTC.
 * @param {number} ms
 */
export function dateTime(ms) {
  return isTime(ms) ? new Date(ms).toISOString().slice(0, 19).replace("T", " ") : "–";
}

/**
 * `22 Nov 2026`, in UTC.
 * @param {number} ms
 */
export function day(ms) {
  return isTime(ms) ? DAY.format(ms) : "–";
}

/**
 * `22 Nov, 15:04`, in UTC.
 * @param {number} ms
 */
export function shortTime(ms) {
  return isTime(ms) ? SHORT.format(ms) : "–";
}

/** @param {number} ms */
function isTime(ms) {
  return Number.isFinite(ms) && Math.abs(ms) < 8.64e15;
}

const DAY = new Intl.DateTimeFormat("en-GB", {
  timeZone: "UTC",
  day: "numeric",
  month: "short",
  year: "numeric",
});
const SHORT = new Intl.DateTimeFormat("en-GB", {
  timeZone: "UTC",
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
});
const NUMBER = new Intl.NumberFormat("en");
const COMPACT = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/** @param {number | undefined} count */
export function number(count) {
  return count === undefined ? "–" : NUMBER.format(count);
}

/** @param {number} count */
export function compact(count) {
  return COMPACT.format(count);
}

/**
 * `1 event`, `1,000 events`.
 * @param {number} count
 * @param {string} what
 */
export function counted(count, what) {
  return `${number(count)} ${what}${count === 1 ? "" : "s"}`;
}

/** @param {number | undefined} bytes */
export function size(bytes) {
  if (bytes === undefined) return "–";
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[power]}`;
}

/**
 * `3 minutes ago`.
 * @param {number | undefined} ms
 * @param {number} now
 */
export function ago(ms, now) {
  if (ms === undefined) return "never";
  const seconds = Math.max(0, Math.round((now - ms) / 1000));
  if (seconds < 5) return "just now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${counted(Math.round(seconds / 3600), "hour")} ago`;
  return `${counted(Math.round(seconds / 86_400), "day")} ago`;
}
