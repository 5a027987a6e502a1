// Which dead letters a command is about: by number, or by component, code and time.

import type { DataDir } from "../agent/data-dir.ts";
import { type Letter, NotFoundError, type Store, viewLetters } from "../agent/stores.ts";
import { duration } from "../../plugins/sdk/index.ts";
import { type Arguments, type Option, UsageError } from "./command.ts";
import { parseRange } from "./data-dir.ts";

/** The options themselves. */
export const LETTER_OPTIONS = {
  from: { type: "string", value: "COMPONENT", help: "Only of this receiver or exporter" },
  code: { type: "string", value: "CODE", help: "Only with this code" },
  since: {
    type: "string",
    value: "TIME",
    help: "Only set aside since then: a time, or 90m, 12h, 7d ago",
  },
} as const satisfies Readonly<Record<string, Option>>;

/** What of the letters is meant. */
export interface LetterFilter {
  /** Runs of numbers; undefined: all. */
  readonly runs: readonly (readonly [first: number, last: number])[] | undefined;
  readonly from: string | undefined;
  readonly code: string | undefined;
  readonly sinceMs: number;
}

/** Reads words (5, 5-9) and options. Throws UsageError. */
export function letterFilter(args: Arguments, nowMs: number): LetterFilter {
  const { from, code, since } = args.values;
  return {
    runs: args.words.length === 0
      ? undefined
      : args.words.map((word) => parseRange(word, "number")),
    from: from?.[0],
    code: code?.[0],
    sinceMs: since === undefined ? 0 : parseSince(since[0]!, nowMs),
  };
}

/** Whether anything narrows it down: purging all has to be asked for. */
export function isNarrow({ runs, from, code, sinceMs }: LetterFilter): boolean {
  return runs !== undefined || from !== undefined || code !== undefined || sinceMs > 0;
}

/** The letters of a store that are meant, oldest first. */
export async function* matching(
  dataDir: DataDir,
  store: Store,
  filter: LetterFilter,
): AsyncGenerator<Letter> {
  const view = await viewLetters(dataDir, store);
  for (const [first, last] of filter.runs ?? [[1, Number.MAX_SAFE_INTEGER]] as const) {
    for await (const letter of view.letters(first, last)) {
      const { from, code, lastAt } = letter;
      if (filter.from !== undefined && filter.from !== from) continue;
      if (filter.code !== undefined && filter.code !== code) continue;
      if (lastAt >= filter.sinceMs) yield letter;
    }
  }
}

/** What to say where nothing matches. */
export function noLetters(filter: LetterFilter): NotFoundError {
  if (filter.runs === undefined) return new NotFoundError("There are no such dead letters");
  const numbers = filter.runs.map(([a, b]) => a === b ? `${a}` : `${a}-${b}`).join(", ");
  return new NotFoundError(`Not among the dead letters, or no longer: ${numbers}`);
}

function parseSince(text: string, nowMs: number): number {
  const age = duration.safeParse(text);
  const time = age.success ? nowMs - age.data : Date.parse(text);
  if (Number.isFinite(time)) return Math.max(1, time);
  throw new UsageError(`Cannot read --since "${text}": 2026-01-31T08:00:00Z or 12h is expected`);
}
