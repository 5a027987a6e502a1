// What the frames on disk add up to: the end of the log, the books, and receivers' positions. The
// writer moves it forward, recovery builds it again.

import type { Position } from "../../plugins/sdk/intake.ts";
import type { Json } from "../../plugins/sdk/json.ts";
import type { Append } from "./append.ts";
import type { PositionText, Totals } from "./codec.ts";

/** What the frames on disk add up to. */
export interface LogState {
  next: number;
  totals: Totals;
  readonly positions: Map<string, Map<string, Json>>;
  /** Greatest number that a segment has, or had. */
  ordinal: number;
}

/** Merges a position delta by top-level key; null removes. */
export function mergePosition(
  positions: Map<string, Map<string, Json>>,
  text: PositionText | undefined,
): void {
  if (text === undefined) return;
  const delta: Position = JSON.parse(text[1]);
  let position = positions.get(text[0]);
  if (position === undefined) positions.set(text[0], position = new Map());
  for (const [key, value] of Object.entries(delta)) {
    if (value === null || value === undefined) position.delete(key);
    else position.set(key, value);
  }
}

/** Every receiver's whole position, as a segment's header holds it. */
export function positionTexts(state: Pick<LogState, "positions">): readonly PositionText[] {
  return [...state.positions].map(([receiver, position]) => [
    receiver,
    JSON.stringify(Object.fromEntries(position)),
  ]);
}

/** An append's position as a frame holds it. Throws where it is nobody's, or no JSON. */
export function positionText({ receiver, position }: Append): PositionText | undefined {
  if (position === undefined) return undefined;
  if (receiver === undefined) throw new TypeError("Cannot append a position: no receiver is named");
  return [receiver, JSON.stringify(position)];
}

/** The books after some appends. */
export function addTotals(totals: Totals, appends: readonly Append[]): Totals {
  let [received, filtered, duplicate, rejected] = totals;
  for (const { counts } of appends) {
    if (counts === undefined) continue;
    received += counts.received ?? 0;
    filtered += counts.filtered ?? 0;
    duplicate += counts.duplicate ?? 0;
    rejected += counts.rejected ?? 0;
  }
  return [received, filtered, duplicate, rejected];
}
