// The window of recent records by which repeats are told apart (promise P4). A record that the agent
// made of an event repeats another when they share the eventID, which derives from where the event
// came from. A record that came as it is repeats another only with the same bytes as well: masked
// records share their ids, and nobody may suppress a record by sending another one with its id first.

import { crc32 } from "node:zlib";
import { LRUCache } from "lru-cache";

/** Size of the window: repeats come close to each other, and so many are some ten MiB at most. */
export const DEDUPE_ENTRIES_MAX = 65_536;

/** What the window knows a record by. */
export interface Identified {
  readonly id: string;
  readonly bytes: Uint8Array;
  /** Made by the agent of an event: its id alone says which action it is. */
  readonly own?: boolean;
  /** Made by a receiver whose ids say as much. */
  readonly identified?: boolean;
}

/** Stands where a fingerprint was; no fingerprint is negative. */
const REMOVED = -1;

/** Remembers the last `entriesMax` records. */
export class DedupeWindow {
  // Under its id the first content seen; under id and content each further one.
  readonly #known: LRUCache<string, number>;

  constructor(entriesMax: number) {
    this.#known = new LRUCache({ max: entriesMax });
  }

  /** Remembers a record; false when it was known already. */
  add(record: Identified): boolean {
    const print = fingerprint(record.bytes);
    const known = this.#known.get(record.id);
    const isOwn = record.own === true || record.identified === true;
    if (known === undefined || (isOwn && known === REMOVED)) {
      this.#known.set(record.id, print);
      return true;
    }
    if (known === print || isOwn) return false;
    const key = further(record.id, print);
    if (this.#known.get(key) !== undefined) return false;
    this.#known.set(key, print);
    return true;
  }

  /** Forgets a record that was added but not stored. */
  remove(record: Identified): void {
    const print = fingerprint(record.bytes);
    // The place under the id stays, as the way to further contents of it.
    if (this.#known.peek(record.id) === print) this.#known.set(record.id, REMOVED);
    else this.#known.delete(further(record.id, print));
  }
}

function further(id: string, print: number): string {
  return `${id}/${print}`;
}

/** Checksum and length in one number: 32 and up to 21 bits fit the 53 of a number's integers. */
function fingerprint(bytes: Uint8Array): number {
  return crc32(bytes) * 0x20_0000 + (bytes.length % 0x20_0000);
}
