// The world outside the process, which remembers across crashes: what senders were promised, what
// exporters received, what cursors saved. A history checks the queue against it.

import type { CursorState, Plan } from "../../src/queue/cursor.ts";
import type { Position } from "../../plugins/sdk/intake.ts";

/** What became of one attempt to append an event of the sender without a position. */
export type Fate = "pending" | "acknowledged" | "rejected";

/** An attempt of the pushing sender; every attempt has an id of its own. */
export interface Push {
  fate: Fate;
  sequence: number;
}

/** What one cursor's exporter has seen. */
export interface ExporterMemory {
  /** States whose save has been asked for since the last one that resolved; the first is that one. */
  possible: CursorState[];
  /** Delivered ranges by key, with the ids they held. */
  readonly objects: Map<string, string>;
}

/** Everything outside. */
export class World {
  /** Ids by sequence, as acknowledged. */
  readonly acknowledged = new Map<number, string>();
  readonly pushes = new Map<string, Push>();
  readonly exporters = new Map<string, ExporterMemory>();
  /** Records that a limit dropped, by the queue's own account. */
  dropped = 0;
  /** How far each receiver's position was promised to be. */
  readonly promised = new Map<string, number>();

  exporter(name: string): ExporterMemory {
    let memory = this.exporters.get(name);
    if (memory === undefined) {
      this.exporters.set(name, memory = { possible: [], objects: new Map() });
    }
    return memory;
  }

  /** Takes delivery of a range: the same key must bring the same ids (promise P5). */
  deliver(name: string, plan: Plan, ids: readonly string[]): void {
    const { objects } = this.exporter(name);
    const key = `${plan.first}-${plan.last}@${plan.at}`;
    const text = ids.join(" ");
    const before = objects.get(key);
    if (before !== undefined && before !== text) {
      throw new Error(`${name} got ${key} twice, first [${before}], then [${text}]`);
    }
    objects.set(key, text);
  }
}

/** The event number a receiver's position says comes next. */
export function nextEvent(position: Position | undefined): number {
  const next = position?.next;
  return typeof next === "number" ? next : 0;
}

/** Throws when a condition does not hold. */
export function must(condition: boolean, message: () => string): void {
  if (!condition) throw new Error(message());
}

/** Again, as long as the disk refuses. */
export async function retried<T>(act: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await act();
    } catch (error) {
      must(/simulated/.test(String(error)), () => String(error));
    }
  }
}
