// What could not be read, and what an exporter will never take: kept verbatim, with the reason, in
// a queue of its own beside the pipeline's. A letter's bytes are one line of JSON (all but the
// input) and then the input as it came. Written before the books or a cursor say so; oldest go when
// full.

import { Buffer } from "node:buffer";
import { LRUCache } from "lru-cache";
import type { AgentIdentity, Log, StoredRecord } from "../../plugins/sdk/index.ts";
import type { Files } from "../queue/files.ts";
import type { Cursor } from "../queue/cursor.ts";
import { type Entry, Queue } from "../queue/queue.ts";
import { contentId } from "./identity.ts";
import { QueueWatch } from "./queue-watch.ts";

/** What is said of a letter, apart from the input itself. */
interface About {
  /** Why it was set aside: the problem, never the input. */
  readonly reason: string;
  /** Stable name of the problem. */
  readonly code: string;
  /** Id of the receiver it came through, or of the exporter that will not take it. */
  readonly from: string;
  /** How often it was offered. */
  readonly attempts: number;
  /** Of the first and last attempt, in milliseconds since the epoch. */
  readonly firstAt: number;
  readonly lastAt: number;
  /** Its sequence in the pipeline's queue, for records that were stored. */
  readonly sequence?: number;
  /** How long the input was, where it was too long to be kept whole. */
  readonly rawBytes?: number;
}

/** One thing set aside. */
export interface Letter extends About {
  /** The same for the same input of the same component, so that it is kept once. */
  readonly id: string;
  /** Number of the letter, from 1. */
  readonly number: number;
  /** The input, verbatim. */
  readonly raw: Uint8Array;
}

/**
 * A letter to be kept. `key` is the input's identity at its component; without one, its content.
 */
export interface NewLetter extends About {
  readonly key?: string;
  readonly raw: Uint8Array;
}

/** What dead letters need. */
export interface DeadLettersOptions {
  readonly directory: string;
  readonly bytesMax: number;
  readonly freeDiskBytesMin: number;
  readonly agent: AgentIdentity;
  readonly clock: () => number;
  readonly log: Log;
  readonly files?: Files;
}

/** How many letters are told apart from repeats. */
const KNOWN_MAX = 16_384;
const ID_LENGTH_MAX = 200;
/**
 * Input is kept verbatim up to this, and up to a quarter of the folder's limit, so that there is
 * always room for it. More is no record and no line of any source.
 */
const RAW_BYTES_MAX = 8 * 1024 * 1024;
/** Most bytes handed to the queue at once, whose frames have a limit. */
const APPEND_BYTES_MAX = 16 * 1024 * 1024;
const CATEGORY = "DeadLetter";
/** Letters read at once when listing. */
const PAGE = { records: 256, bytes: 4 * 1024 * 1024 };

/** The dead letters of one pipeline. */
export class DeadLetters {
  readonly #queue: Queue;
  readonly #watch: QueueWatch;
  readonly #kept: Cursor;
  readonly #agent: AgentIdentity;
  readonly #rawBytesMax: number;
  readonly #known = new LRUCache<string, true>({ max: KNOWN_MAX });
  readonly #inFlight = new Map<string, Promise<unknown>>();

  private constructor(
    queue: Queue,
    watch: QueueWatch,
    kept: Cursor,
    options: DeadLettersOptions,
  ) {
    this.#queue = queue;
    this.#watch = watch;
    this.#kept = kept;
    this.#agent = options.agent;
    this.#rawBytesMax = Math.min(RAW_BYTES_MAX, Math.floor(options.bytesMax / 4));
  }

  /** Opens or makes the folder; throws what Queue.open throws. */
  static async open(options: DeadLettersOptions): Promise<DeadLetters> {
    const { directory, bytesMax, freeDiskBytesMin, clock, log, files } = options;
    const watch = new QueueWatch(log, { queue: "dead letters" });
    const queue = await Queue.open({
      directory,
      bytesMax,
      segmentBytesMax: Math.max(64 * 1024, Math.min(16 * 1024 * 1024, Math.ceil(bytesMax / 8))),
      freeDiskBytesMin,
      // Blocking here would let a flood of garbage stop what can be read.
      overflow: "drop_oldest",
      clock,
      ...(files === undefined ? {} : { files }),
      onDrop: ({ count, reason }) => {
        log.error("Dead letters dropped, the oldest first", { count, reason });
      },
      onState: (state) => watch.changed(state),
    });
    // This cursor stays where it is: it holds the letters until they are purged.
    const letters = new DeadLetters(queue, watch, await queue.cursor("kept"), options);
    for (const id of await queue.recentIds(KNOWN_MAX)) letters.#known.set(id, true);
    return letters;
  }

  /** How many letters are kept. */
  count(): number {
    const { oldestSequence, nextSequence } = this.#queue.stats();
    return nextSequence - Math.max(oldestSequence, this.#kept.state().position);
  }

  /** Resolves when all are on disk. A letter that is kept already is not kept again. */
  async add(letters: readonly NewLetter[]): Promise<void> {
    let entries: Entry[] = [];
    let bytes = 0;
    const waits = new Set<Promise<unknown>>();
    const added = new Set<string>();
    for (const letter of letters) {
      const id = letterId(letter);
      const other = this.#inFlight.get(id);
      if (other !== undefined) waits.add(other);
      else if (!this.#known.has(id) && !added.has(id)) {
        added.add(id);
        const raw = letter.raw.subarray(0, this.#rawBytesMax);
        entries.push(entry(id, letter, raw, this.#agent));
        bytes += raw.length;
        if (bytes >= APPEND_BYTES_MAX) {
          waits.add(this.#append(entries));
          entries = [];
          bytes = 0;
        }
      }
    }
    if (entries.length > 0) waits.add(this.#append(entries));
    await Promise.all(waits);
  }

  /** The letters, oldest first, from a number on. */
  async *letters(from = 1): AsyncGenerator<Letter> {
    let next = Math.max(from, this.#kept.state().position);
    while (next < this.#queue.nextSequence()) {
      const page = await this.#kept.read(next, PAGE);
      if (page.next <= next) return;
      for (const stored of page.records) yield decode(stored);
      next = page.next;
    }
  }

  /** Closes the folder. */
  close(): Promise<void> {
    this.#watch.stop();
    return this.#queue.close();
  }

  async #append(entries: readonly Entry[]): Promise<void> {
    const appended = this.#queue.append({ entries });
    for (const { id } of entries) this.#inFlight.set(id, appended);
    try {
      await appended;
      for (const { id } of entries) this.#known.set(id, true);
    } finally {
      for (const { id } of entries) this.#inFlight.delete(id);
    }
  }
}

function letterId(letter: NewLetter): string {
  const id = `${letter.from}#${letter.key ?? contentId(letter.raw)}`;
  return id.length <= ID_LENGTH_MAX ? id : `${letter.from}#${contentId(Buffer.from(id))}`;
}

function entry(id: string, letter: NewLetter, raw: Uint8Array, agent: AgentIdentity): Entry {
  const { reason, code, from, attempts, firstAt, lastAt, sequence } = letter;
  const about: About = {
    reason,
    code,
    from,
    attempts,
    firstAt,
    lastAt,
    ...(sequence === undefined ? {} : { sequence }),
    ...(raw.length < letter.raw.length ? { rawBytes: letter.raw.length } : {}),
  };
  return {
    id,
    time: lastAt,
    accountId: agent.accountId,
    region: agent.region,
    category: CATEGORY,
    bytes: Buffer.concat([Buffer.from(`${JSON.stringify(about)}\n`), raw]),
  };
}

function decode({ id, sequence, bytes }: StoredRecord): Letter {
  const end = bytes.indexOf(10);
  const about = JSON.parse(new TextDecoder().decode(bytes.subarray(0, end))) as About;
  return { ...about, id, number: sequence, raw: bytes.subarray(end + 1) };
}
