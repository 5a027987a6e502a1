// A part of the history: the events of one log, or those of one day of it once it is sealed. What
// lookups read from, whatever it lies in.

import type { ColumnName } from "./rows.ts";

/** Which log an event came in with, and where: together its order of arrival, for ever. */
export type PartColumn = ColumnName | "row";

/** Events that are kept together. */
export interface Part {
  /** No other part has it. */
  readonly name: string;
  /** Of the log that they came in with. */
  readonly log: number;
  readonly rows: number;
  /** eventTime of the first and the last of them, in milliseconds since the epoch. */
  readonly oldest: number;
  readonly newest: number;
  /** One number for each row, or pair. `row` is the number in the log. Not to be changed. */
  column(name: PartColumn): Promise<Uint32Array>;
  /** A block of texts, each with a line end; undefined where it is damaged, which was told. */
  block(block: number): Promise<Uint8Array | undefined>;
}

/** The files of a part are gone: sealed meanwhile, or too old. Whoever reads begins again. */
export class PartGoneError extends Error {
  override readonly name = "PartGoneError";
  readonly code = "CAIRN_HISTORY_PART_GONE";
}

/** Whom to tell of damage; it says each only once. */
export type TellDamage = (path: string, reason: string) => void;
