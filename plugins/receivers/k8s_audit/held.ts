// Requests of which only the receipt came so far. The API server is answered before their answers come,
// so they are kept in the receiver's position: durable with the batch they came in, and taken out with
// the batch that brings the answer.

import { Buffer } from "node:buffer";
import type { AuditEvent, Position } from "../../sdk/index.ts";
import { answeredId } from "../../sdk/received-only.ts";

const PREFIX = "received ";
/** With a kilobyte each they are a megabyte in the header of each segment of the queue. */
const HELD_MAX = 1024;
/** A receipt that is larger, by a long user agent or path, is told at once. */
const HELD_BYTES_MAX = 8 * 1024;

interface Held {
  readonly event: AuditEvent;
  /** When it came, or the agent started. */
  readonly since: number;
}

/** What a batch does to what is held; nothing is held or told before it is durable. */
export interface Settled {
  readonly events: readonly AuditEvent[];
  readonly position: Position | undefined;
  readonly added: ReadonlyMap<string, Held>;
  readonly removed: readonly string[];
}

/** The receipts that wait for their answers. */
export class HeldReceipts {
  /** By the id that the answered request will have; the oldest first. */
  readonly #held: Map<string, Held>;

  private constructor(held: Map<string, Held>) {
    this.#held = held;
  }

  /** As an earlier run left them; their wait begins again. */
  static of(position: Position | undefined, now: number): HeldReceipts {
    const held = new Map<string, Held>();
    for (const [key, text] of Object.entries(position ?? {})) {
      if (!key.startsWith(PREFIX) || typeof text !== "string") continue;
      held.set(key.slice(PREFIX.length), { event: JSON.parse(text), since: now });
    }
    return new HeldReceipts(held);
  }

  get size(): number {
    return this.#held.size;
  }

  /** Takes the receipts out of some events, and forgets those whose answers are among them. */
  settle(events: readonly AuditEvent[], now: number): Settled {
    const told: AuditEvent[] = [];
    const position: Record<string, string | null> = {};
    const added = new Map<string, Held>();
    const removed: string[] = [];
    const remove = (id: string) => {
      removed.push(id);
      position[PREFIX + id] = null;
    };
    for (const event of events) {
      const id = answeredId(event.id);
      if (id === undefined) {
        if (this.#held.has(event.id) || added.delete(event.id)) remove(event.id);
        told.push(event);
        continue;
      }
      const text = JSON.stringify(event);
      if (Buffer.byteLength(text) > HELD_BYTES_MAX) told.push(event);
      else if (!this.#held.has(id)) {
        added.set(id, { event, since: now });
        position[PREFIX + id] = text;
      }
    }
    this.#makeRoom(added, told, removed, remove);
    const isMoved = Object.keys(position).length > 0;
    return { events: told, position: isMoved ? position : undefined, added, removed };
  }

  #makeRoom(
    added: Map<string, Held>,
    told: AuditEvent[],
    removed: readonly string[],
    remove: (id: string) => void,
  ): void {
    let over = this.#held.size - removed.length + added.size - HELD_MAX;
    for (const from of [this.#held, added]) {
      for (const [id, { event }] of from) {
        if (over <= 0) return;
        if (removed.includes(id)) continue;
        told.push(event);
        remove(id);
        if (from === added) added.delete(id);
        over--;
      }
    }
  }

  /** What has waited long enough, told by itself. */
  due(now: number, waitMs: number): Settled {
    const told: AuditEvent[] = [];
    const position: Record<string, null> = {};
    const removed: string[] = [];
    for (const [id, { event, since }] of this.#held) {
      if (now - since < waitMs && now >= since) continue;
      told.push(event);
      removed.push(id);
      position[PREFIX + id] = null;
    }
    return { events: told, position, added: new Map(), removed };
  }

  /** The batch is durable. */
  apply({ added, removed }: Settled): void {
    for (const id of removed) this.#held.delete(id);
    for (const [id, held] of added) this.#held.set(id, held);
  }
}
