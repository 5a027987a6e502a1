// Time formats of the mapping language in strftime's letters, such as "%d/%b/%Y:%H:%M:%S %z".

/** What a text says of a time; `month` counts from 1. */
export interface LocalTime {
  year?: number;
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
  ms: number;
  /** Offset from UTC, where the text gives one. */
  offsetMs?: number;
  /** The instant itself, where the text gives that. */
  epochMs?: number;
}

const MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split(" ");

interface Directive {
  readonly regexp: string;
  readonly set: (into: LocalTime, text: string) => void;
}

const DIRECTIVES: Readonly<Record<string, Directive>> = {
  Y: { regexp: "\\d{4}", set: (into, text) => into.year = Number(text) },
  y: { regexp: "\\d\\d", set: (into, text) => into.year = century(Number(text)) },
  m: { regexp: "\\d\\d?", set: (into, text) => into.month = Number(text) },
  b: {
    regexp: "[A-Za-z]{3,9}\\.?",
    set: (into, text) => into.month = MONTHS.indexOf(text.slice(0, 3).toLowerCase()) + 1,
  },
  d: { regexp: "\\d\\d?", set: (into, text) => into.day = Number(text) },
  H: { regexp: "\\d\\d?", set: (into, text) => into.hour = Number(text) },
  I: { regexp: "\\d\\d?", set: (into, text) => into.hour += Number(text) % 12 },
  p: { regexp: "[AaPp][Mm]", set: (into, text) => into.hour += /^p/i.test(text) ? 12 : 0 },
  M: { regexp: "\\d\\d", set: (into, text) => into.minute = Number(text) },
  S: { regexp: "\\d\\d", set: (into, text) => into.second = Number(text) },
  f: {
    regexp: "\\d{1,9}",
    set: (into, text) => into.ms = Math.floor(Number(`0.${text}`) * 1000 + 1e-6),
  },
  z: { regexp: "[Zz]|[+-]\\d\\d:?\\d\\d", set: (into, text) => into.offsetMs = offset(text) },
  s: { regexp: "\\d{1,12}", set: (into, text) => into.epochMs = Number(text) * 1000 },
  // Named days and zones are skipped: they say nothing that counts, or cannot be told apart.
  a: { regexp: "[A-Za-z]{3,9}\\.?", set: () => {} },
  Z: { regexp: "[A-Za-z]{1,5}", set: () => {} },
};
const ALIASES: Readonly<Record<string, string>> = { e: "d", B: "b", A: "a", h: "b" };

/**
 * Compiles a format to a function that reads a whole text, or answers undefined. A space in the
 * format stands for one or more. A string in the answer says what is wrong with the format.
 */
export function compileTimeFormat(
  format: string,
): ((text: string) => LocalTime | undefined) | string {
  if (!format.includes("%")) {
    return `Unknown time format "${format}": expected auto, iso8601, epoch_s, epoch_ms, epoch_us, ` +
      "epoch_ns, rfc3164, clf or letters as in %d/%b/%Y:%H:%M:%S %z";
  }
  const letters: string[] = [];
  let source = "";
  for (let at = 0; at < format.length; at++) {
    const char = format[at]!;
    if (char === " ") source += " +";
    else if (char !== "%") source += char.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
    else {
      const letter = format[++at] ?? "";
      const name = ALIASES[letter] ?? letter;
      if (letter === "%") source += "%";
      else if (!Object.hasOwn(DIRECTIVES, name)) return `Unknown letter "%${letter}" in format`;
      else {
        letters.push(name);
        source += `(${DIRECTIVES[name]!.regexp})`;
      }
    }
  }
  const missing = "bdHM".split("").filter((letter) => !has(letters, letter));
  if (missing.length > 0 && !letters.includes("s")) {
    return `Time format "${format}" says no %${missing.join(", no %")}`;
  }
  // Every part has a bounded length, so this cannot run away as a free expression could.
  const regexp = new RegExp(`^${source}$`);
  const setters = letters.map((letter) => DIRECTIVES[letter]!.set);
  return (text) => read(regexp, setters, text);
}

function has(letters: readonly string[], letter: string): boolean {
  const same = letter === "b" ? ["b", "m"] : letter === "H" ? ["H", "I"] : [letter];
  return same.some((one) => letters.includes(one));
}

function read(
  regexp: RegExp,
  setters: readonly Directive["set"][],
  text: string,
): LocalTime | undefined {
  const match = text.length > 128 ? null : regexp.exec(text);
  if (match === null) return undefined;
  const local: LocalTime = { month: 1, day: 1, hour: 0, minute: 0, second: 0, ms: 0 };
  for (let index = 0; index < setters.length; index++) setters[index]!(local, match[index + 1]!);
  const { month, hour, minute, second } = local;
  const valid = month >= 1 && month <= 12 && hour < 24 && minute < 60 && second < 60;
  return valid ? local : undefined;
}

/** POSIX: 69 to 99 are the 1900s, 00 to 68 the 2000s. */
function century(year: number): number {
  return year < 69 ? 2000 + year : 1900 + year;
}

/** Milliseconds of `+02:00`, `-0700` or `Z`. */
export function offset(text: string): number {
  if (/^z$/i.test(text)) return 0;
  const digits = text.slice(1).replace(":", "");
  const minutes = Number(digits.slice(0, 2)) * 60 + Number(digits.slice(2));
  return (text[0] === "-" ? -minutes : minutes) * 60_000;
}
