// Dead letters go in again: what an exporter had refused is stored once more, for that exporter alone;
// what a receiver could not read goes through a format and the pipeline's door. A letter leaves only
// when its record is durable, and the same frame says which letter it was, as a position: so a
// replay that was killed in between does not store it twice.

import type { AgentIdentity, AuditEvent, Format, Position } from "../../plugins/sdk/index.ts";
import type { Entry, Queue } from "../queue/queue.ts";
import type { Admission } from "./admission.ts";
import type { DeadLetters } from "./dead-letters.ts";
import { type Draft, type Drafts, fromEvents, fromRecords, messageOf } from "./draft.ts";
import type { Letter } from "./letter.ts";

/** What replay works with. */
export interface ReplayParts {
  readonly queue: Pick<Queue, "append" | "position">;
  readonly deadLetters: DeadLetters;
  readonly admission: Pick<Admission, "admit">;
  readonly agent: AgentIdentity;
  /** Ids of the exporters there are. */
  readonly exporters: () => Iterable<string>;
}

/** What a replay asks for. */
export interface ReplayOrder {
  /** Numbers of letters. */
  readonly numbers: readonly number[];
  /**
   * A new instance of the format that reads what a receiver could not; throws where there is none.
   * `named`: an operator chose it, so that it reads everything a receiver set aside.
   */
  readonly format: (receiver: string) => Format;
  readonly named: boolean;
  /** Gives up waiting for room in the queue. */
  readonly signal?: AbortSignal;
}

/** What became of them. */
export interface Replayed {
  /** Numbers of those that are in the queue again, and no longer dead letters. */
  readonly replayed: readonly number[];
  /** Numbers of those that were not there. */
  readonly gone: readonly number[];
  /** Those that stay, and why. */
  readonly refused: readonly { readonly number: number; readonly reason: string }[];
}

interface Outcome {
  readonly replayed: number[];
  readonly gone: number[];
  readonly refused: { number: number; reason: string }[];
}

/** Holds, as a receiver's position, the letters that are in the queue and perhaps still letters. */
const HOLDER = "cairn/dead-letters";
/** Letters go in together up to this many bytes of records. */
const APPEND_BYTES_MAX = 8 * 1024 * 1024;
/** Set by a receiver that could not read its input: its letters hold the input itself. */
const UNREAD = "CAIRN_REJECTED_INPUT";

/** Replays letters, one order after the other. */
export function replay(parts: ReplayParts, order: ReplayOrder): Promise<Replayed> {
  return parts.deadLetters.exclusive(() => run(parts, order));
}

async function run(parts: ReplayParts, order: ReplayOrder): Promise<Replayed> {
  const outcome: Outcome = { replayed: [], gone: [], refused: [] };
  const work: Work = { parts, order, outcome };
  const records = new Gathering<Entry>(work, (entries, position) => store(work, entries, position));
  const inputs = new Gathering<Draft>(work, (drafts, position, from) => {
    return admit(work, drafts, position, from);
  });
  try {
    for (const number of new Set(order.numbers)) {
      const letter = await parts.deadLetters.letter(number);
      if (letter === undefined) outcome.gone.push(number);
      else if (isStored(parts, letter)) await settle(work, [letter]);
      else if (letter.sequence !== undefined) {
        await records.add(letter, refusedRecord(work, letter));
      } else await inputs.add(letter, readAgain(work, letter));
    }
    await records.flush();
    await inputs.flush();
  } catch (error) {
    // A queue that is full, or stopping: what is done is done.
    if (outcome.replayed.length === 0) throw error;
    const told = new Set([...outcome.replayed, ...outcome.gone]);
    for (const { number } of outcome.refused) told.add(number);
    for (const number of order.numbers) {
      if (!told.has(number)) outcome.refused.push({ number, reason: messageOf(error) });
    }
  }
  await forget(parts, order.signal);
  return outcome;
}

interface Work {
  readonly parts: ReplayParts;
  readonly order: ReplayOrder;
  readonly outcome: Outcome;
}

/** Letters of one component whose records are on their way into the queue together. */
class Gathering<Item extends Entry> {
  readonly #work: Work;
  readonly #send: (items: readonly Item[], position: Position, from: string) => Promise<unknown>;
  #letters: Letter[] = [];
  #items: Item[] = [];
  #bytes = 0;

  constructor(
    work: Work,
    send: (items: readonly Item[], position: Position, from: string) => Promise<unknown>,
  ) {
    this.#work = work;
    this.#send = send;
  }

  /** Takes a letter with what is to be stored for it, or notes why it stays. */
  async add(letter: Letter, items: readonly Item[] | string): Promise<void> {
    if (typeof items === "string") {
      this.#work.outcome.refused.push({ number: letter.number, reason: items });
      return;
    }
    if (this.#letters.length > 0 && this.#letters[0]!.from !== letter.from) await this.flush();
    this.#letters.push(letter);
    this.#items.push(...items);
    for (const { bytes } of items) this.#bytes += bytes.length;
    if (this.#bytes >= APPEND_BYTES_MAX) await this.flush();
  }

  /** Stores what was gathered, and lets the letters go. */
  async flush(): Promise<void> {
    const letters = this.#letters;
    const items = this.#items;
    if (letters.length === 0) return;
    this.#letters = [];
    this.#items = [];
    this.#bytes = 0;
    const position = Object.fromEntries(letters.map(({ number, id }) => [String(number), id]));
    await this.#send(items, position, letters[0]!.from);
    await settle(this.#work, letters);
  }
}

/** Past the door: what an exporter refused was let in before. */
function store({ parts, order }: Work, entries: readonly Entry[], position: Position) {
  const counts = { received: entries.length };
  return parts.queue.append({ entries, receiver: HOLDER, position, counts, ...waiting(order) });
}

function admit({ parts, order }: Work, drafts: readonly Draft[], position: Position, from: string) {
  const draft = () => ({ drafts, rejected: [] });
  const applicant = { receiver: from, holder: HOLDER, draft };
  return parts.admission.admit(applicant, { position, ...waiting(order) });
}

function waiting({ signal }: ReplayOrder): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

/** The record of an exporter's letter, for that exporter; or why it stays. */
function refusedRecord({ parts }: Work, { from, raw, rawBytes }: Letter): Entry[] | string {
  const exporters = [...parts.exporters()];
  if (!exporters.includes(from)) return `There is no exporter "${from}" in this pipeline`;
  if (rawBytes !== undefined) return NOT_WHOLE;
  const { drafts, rejected } = fromRecords([raw], parts.agent, false);
  if (drafts[0] === undefined) return rejected[0]?.reason ?? NO_RECORD;
  const { id, time, accountId, region, category, bytes } = drafts[0];
  return [{ id, time, accountId, region, category, bytes, only: from }];
}

const NOT_WHOLE = "The input was too long to be kept whole";
const NO_RECORD = "The input holds no record";

/** What a receiver's letter holds; or why it stays. */
function readAgain({ parts, order }: Work, letter: Letter): readonly Draft[] | string {
  if (letter.rawBytes !== undefined) return NOT_WHOLE;
  try {
    const isInput = order.named || letter.code === UNREAD;
    const { drafts, rejected } = isInput
      ? decode(letter, order.format(letter.from), parts.agent)
      : fromOwnText(letter, parts.agent);
    if (rejected[0] !== undefined) return rejected[0].reason;
    return drafts.length === 0 ? "The format leaves it out" : drafts;
  } catch (error) {
    return messageOf(error);
  }
}

/** What the letter's input says, as the first and last frame of a stream of its own. */
function decode(letter: Letter, format: Format, agent: AgentIdentity): Drafts {
  const at = { source: `dead-letter:${letter.id}`, offset: 0, receivedAt: letter.firstAt };
  const drafts: Draft[] = [];
  const rejected: Drafts["rejected"][number][] = [];
  for (const step of [() => format.decode(letter.raw, at), () => format.flush(Infinity)]) {
    const decoded = step();
    // Records are views of memory that the next step may use again: drafted at once.
    const made = "records" in decoded
      ? fromRecords(decoded.records, agent, true)
      : fromEvents(decoded.events, sourceOf(letter), agent, true);
    drafts.push(...made.drafts);
    rejected.push(...made.rejected);
  }
  return { drafts, rejected };
}

/** The JSON text of a record, or of an event, that did not keep the rules or a processor refused. */
function fromOwnText(letter: Letter, agent: AgentIdentity): Drafts {
  const value: unknown = JSON.parse(new TextDecoder().decode(letter.raw));
  const isEvent = typeof value === "object" && value !== null && "action" in value &&
    "service" in value;
  return isEvent
    ? fromEvents([value as unknown as AuditEvent], sourceOf(letter), agent, true)
    : fromRecords([letter.raw], agent, true);
}

/** The receiver's type, of which eventIDs are made. */
function sourceOf({ from }: Letter): string {
  return from.split("/", 1)[0]!;
}

/** Whether a replay that was killed had stored it already. */
function isStored({ queue }: ReplayParts, { number, id }: Letter): boolean {
  return queue.position(HOLDER)?.[String(number)] === id;
}

async function settle({ parts, outcome }: Work, letters: readonly Letter[]): Promise<void> {
  const numbers = letters.map(({ number }) => number);
  await parts.deadLetters.remove(numbers.map((number) => [number, number]), "replayed");
  outcome.replayed.push(...numbers);
}

/** Takes those out of the position that are no letters any more. */
async function forget(
  { queue, deadLetters }: ReplayParts,
  signal: AbortSignal | undefined,
): Promise<void> {
  const position: Record<string, null> = {};
  for (const key of Object.keys(queue.position(HOLDER) ?? {})) {
    if (await deadLetters.letter(Number(key)) === undefined) position[key] = null;
  }
  if (Object.keys(position).length === 0) return;
  // Only tidies up: the next replay does it where this one cannot.
  const append = { entries: [], receiver: HOLDER, position };
  await queue.append(signal === undefined ? append : { ...append, signal }).catch(() => {});
}
