// Events of the history as text: lines of a table, of CSV, or the records as JSON lines.

import type { HistoryEvent } from "../../plugins/sdk/event-history.ts";
import { historyCsv } from "../../plugins/sdk/history-csv.ts";
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

/** CSV for spreadsheets, guarded against formulas. */
export const csvText: HistoryText = historyCsv;

/** The records, byte for byte where a program reads them, and the same JSON on a terminal. */
export function jsonText(isTerminal: boolean): HistoryText {
  return { head: "", line: ({ text }) => `${isTerminal ? escapeText(text) : text}\n` };
}
