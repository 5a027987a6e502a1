// Events of the history as text: lines of a table, of CSV, or the records as JSON lines.

import { csvLine } from "../../plugins/sdk/csv-text.ts";
import type { HistoryEvent } from "../../plugins/sdk/event-history.ts";
import { escapeText, formatTime } from "./printable.ts";

/** One way to write events. */
export interface HistoryText {
  readonly head: string;
  line(event: HistoryEvent): string;
}

const TABLE = [
  ["TIME", 20, ({ time }) => formatTime(time)],
  ["EVENT", 28, ({ name }) => name],
  ["SOURCE", 28, ({ source }) => source],
  ["USER", 20, ({ username }) => username],
  ["ADDRESS", 15, ({ sourceIPAddress }) => sourceIPAddress],
  ["ERROR", 16, ({ errorCode }) => errorCode],
  ["RESOURCE", 60, ({ resources }) => resources[0]?.name],
] as const satisfies readonly Column[];

type Column = readonly [name: string, width: number, cell: (event: HistoryEvent) => unknown];

/** A table of fixed columns; cells are cut on a terminal, whole where a program reads them. */
export function tableText(isTerminal: boolean): HistoryText {
  const row = (cells: readonly string[]) =>
    `${cells.map((cell, i) => cell.padEnd(TABLE[i]![1])).join("  ").trimEnd()}\n`;
  return {
    head: row(TABLE.map(([name]) => name)),
    line: (event) =>
      row(TABLE.map(([, width, cell]) => {
        const text = escapeText(String(cell(event) ?? "-")).replaceAll("\n", "\\n");
        return isTerminal && text.length > width ? `${text.slice(0, width - 1)}…` : text;
      })),
  };
}

const CSV: readonly (readonly [name: string, cell: (event: HistoryEvent) => unknown])[] = [
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

/** CSV for spreadsheets, guarded against formulas. */
export const csvText: HistoryText = {
  head: csvLine(CSV.map(([name]) => name)),
  line: (event) => csvLine(CSV.map(([, cell]) => String(cell(event) ?? ""))),
};

/** The records, byte for byte where a program reads them, and the same JSON on a terminal. */
export function jsonText(isTerminal: boolean): HistoryText {
  return { head: "", line: ({ text }) => `${isTerminal ? escapeText(text) : text}\n` };
}
