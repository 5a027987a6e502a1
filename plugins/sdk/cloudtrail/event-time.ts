// eventTime: how CloudTrail spells a moment, to milliseconds and back. Every record passes here
// once, so the usual spelling is read by its digits and only odd ones go through Date.

const HOUR_MS = 3_600_000;
/** What stands between the digits, and where. */
const SIGNS = "--T::Z";
const SIGN_PLACES = [4, 7, 10, 13, 16, 19];

/**
 * Milliseconds since the epoch of an eventTime; undefined where it is no moment. Reads
 * `YYYY-MM-DDTHH:MM:SSZ` and, as older and foreign writers spell it, any ISO 8601 form with a zone.
 */
export function parseEventTime(text: string): number | undefined {
  if (text.length === 20 && text.charCodeAt(19) === 90 && text.charCodeAt(10) === 84) {
    return usual(text);
  }
  // A zone is asked for: without one the same text would mean another moment on another machine.
  if (!/^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)$/.test(text)) return undefined;
  if (usual(text) === undefined) return undefined;
  const ms = Date.parse(text.replace(/([+-]\d\d)(\d\d)$/, "$1:$2"));
  return Number.isNaN(ms) ? undefined : ms;
}

/** Writes a moment as `YYYY-MM-DDTHH:MM:SSZ`, cutting milliseconds off. */
export function formatEventTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

/** Whether a text is one that `formatEventTime` writes. */
export function isEventTime(text: string): boolean {
  if (text.length !== 20) return false;
  for (let i = 0; i < SIGNS.length; i++) {
    if (text.charCodeAt(SIGN_PLACES[i]!) !== SIGNS.charCodeAt(i)) return false;
  }
  // Date takes the years 0 to 99 for those of the twentieth century.
  return usual(text) !== undefined && !text.startsWith("00");
}

function usual(text: string): number | undefined {
  const month = digits(text, 5);
  const day = digits(text, 8);
  const hour = digits(text, 11);
  const minute = digits(text, 14);
  const second = digits(text, 17);
  const year = digits(text, 0) * 100 + digits(text, 2);
  if (
    !(month >= 1 && month <= 12 && day >= 1 && day <= 31 && hour < 24 && minute < 60 && second < 60)
  ) return undefined;
  // Day 31 of a short month would run over into the next: Date alone knows the calendar.
  if (day > 28 && new Date(Date.UTC(year, month - 1, day)).getUTCDate() !== day) return undefined;
  const ms = Date.UTC(year, month - 1, day) + hour * HOUR_MS + minute * 60_000 + second * 1000;
  return Number.isNaN(ms) ? undefined : ms;
}

/** Two digits as a number; NaN where they are none, which fails every comparison above. */
function digits(text: string, at: number): number {
  const tens = text.charCodeAt(at) - 48;
  const ones = text.charCodeAt(at + 1) - 48;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN;
}
