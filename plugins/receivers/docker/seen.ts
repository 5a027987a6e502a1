// Which events have been taken: the engine numbers nothing and writes out of order, so a position is
// a time to ask from and the events known from then on.

import { hash } from "node:crypto";
import type { AuditEvent, JsonObject, Position } from "../../sdk/index.ts";

/** Docker itself remembers 256 events; twice as many cover what came in disorder. */
const KEPT_MAX = 512;
/** Asked for again, where more happened within the overlap than is kept. */
const ASKED_MAX = KEPT_MAX / 2;

interface Known {
  readonly id: string;
  readonly time: number;
}

/** The latest events that were taken. */
export class Seen {
  readonly #overlapMs: number;
  /** In the order they came; ids are hashed: a position holds nothing of a command or a name. */
  readonly #known = new Map<string, number>();
  #latest: number;
  /** Where to begin when nothing is known yet; undefined: with all that the engine has. */
  readonly #begin: number | undefined;

  constructor(overlapMs: number, position: Position | undefined, begin: number | undefined) {
    this.#overlapMs = overlapMs;
    const { since, known } = (position ?? {}) as { since?: unknown; known?: unknown };
    this.#begin = typeof since === "number" ? since : position === undefined ? begin : undefined;
    this.#latest = -Infinity;
    for (const { id, time } of Array.isArray(known) ? known.filter(isKnown) : []) {
      this.#known.set(id, time);
      this.#latest = Math.max(this.#latest, time);
    }
  }

  /** Whether an earlier connection left something that a new one has to begin with. */
  get any(): boolean {
    return this.#known.size > 0;
  }

  /** Time of the latest event, in milliseconds since the epoch. */
  get latest(): number {
    return this.#latest;
  }

  /** Takes an event in; false where it was known already. */
  add({ id, time }: AuditEvent): boolean {
    const short = hash("sha256", id, "hex").slice(0, 16);
    if (this.#known.has(short)) return false;
    this.#known.set(short, time);
    this.#latest = Math.max(this.#latest, time);
    if (this.#known.size > KEPT_MAX) {
      this.#known.delete(this.#known.keys().next().value!);
    }
    return true;
  }

  /** From when to ask, in milliseconds since the epoch; undefined: from the engine's beginning. */
  since(nowMs: number): number | undefined {
    if (!this.any) return this.#begin;
    const oldest = this.#latest - this.#overlapMs;
    if (this.#known.size <= ASKED_MAX) return Math.min(oldest, nowMs);
    let earliest = Infinity;
    for (const time of [...this.#known.values()].slice(-ASKED_MAX)) {
      earliest = Math.min(earliest, time);
    }
    return Math.min(Math.max(oldest, earliest), nowMs);
  }

  /** What a later run needs to go on from here. */
  position(): JsonObject {
    if (!this.any) return this.#begin === undefined ? {} : { since: this.#begin };
    const oldest = this.#latest - this.#overlapMs;
    const known: JsonObject[] = [];
    for (const [id, time] of this.#known) {
      if (time < oldest) this.#known.delete(id);
      else known.push({ id, time });
    }
    return { since: null, known };
  }
}

function isKnown(value: unknown): value is Known {
  const { id, time } = (value ?? {}) as { id?: unknown; time?: unknown };
  return typeof id === "string" && typeof time === "number";
}
