// Events of the history as CSV: the columns that the command line and the console give out.

import { csvLine } from "./csv-text.ts";
import type { HistoryEvent } from "./event-history.ts";

const COLUMNS: readonly (readonly [name: string, cell: (event: HistoryEvent) => unknown])[] = [
  ["Event time", ({ time }) => formatTime(time)],
  ["User name", ({ username }) => username],
  ["Event name", ({ name }) => name],
  ["Event source", ({ source }) => source],
  ["Resource type", ({ resources }) => resources.map(({ type }) => type ?? "").join(" ")],
  ["Resource name", ({ resources }) => resources.map(({ name }) => name ?? "").join(" ")],
  ["Source IP address", ({ sourceIPAddress }) => sourceIPAddress],
  ["Error code", ({ errorCode }) => errorCode],
  ["Read-only", ({ readOnly }) => readOnly],
  ["AWS access key", ({ accessKeyId }) => accessKeyId],
  ["Account ID", ({ accountId }) => accountId],
  ["AWS region", ({ region }) => region],
  ["Event ID", ({ id }) => id],
];

function formatTime(ms: number): string {
  return ms > 0 && ms < 8.64e15 ? `${new Date(ms).toISOString().slice(0, 19)}Z` : "-";
}

/** The head and a line for each event, guarded against formulas. */
export const historyCsv = {
  head: csvLine(COLUMNS.map(([name]) => name)),
  line: (event: HistoryEvent): string =>
    csvLine(COLUMNS.map(([, cell]) => String(cell(event) ?? ""))),
} as const;
