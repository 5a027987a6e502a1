// The one door into a pipeline's queue: batch after batch is drafted, told apart from repeats, run
// through the processors and handed to the queue, in the order the calls were made. Several batches
// may be on their way to the disk at once, up to a number of bytes. Intakes stand before it.

import type { IntakeOptions, Position } from "../../plugins/sdk/index.ts";
import type { Append, Counts, Queue } from "../queue/queue.ts";
import type { DeadLetters } from "./dead-letters.ts";
import type { DedupeWindow } from "./dedupe.ts";
import type { Draft, Drafts, Rejected } from "./draft.ts";
import type { ProcessorStage } from "./stage.ts";
import { type Shown, showRecord, showRejected, type Stage, type TapPoint } from "./taps.ts";

/** What admission works with. */
export interface AdmissionParts {
  /** The pipeline's name, for messages. */
  readonly name: string;
  readonly queue: Pick<Queue, "append">;
  readonly deadLetters: Pick<DeadLetters, "add">;
  readonly window: DedupeWindow;
  readonly stage: ProcessorStage;
  readonly taps?: TapPoint | undefined;
  readonly clock: () => number;
  /** Called when a batch that is not the agent's own has become durable. */
  readonly afterBatch: () => void;
}

/** A batch that asks to be let in. */
export interface Applicant {
  readonly receiver: string;
  /** Whose position comes with it; the receiver's own by default. */
  readonly holder?: string;
  /** Makes the drafts, called when it is its turn and there is room; `keep`: see Draft.record. */
  readonly draft: (keep: boolean) => Drafts;
  /** Goes past the processors: what the agent says of itself is not for them to take out. */
  readonly unprocessed?: boolean;
}

/** A batch between being drafted and being durable. */
interface Outgoing {
  readonly receiver: string;
  readonly position: Position | undefined;
  readonly signal: AbortSignal | undefined;
  /** What is to be stored. */
  entries: readonly Draft[];
  /** What entered the window for it, and leaves it again if the batch is not taken. */
  remembered: readonly Draft[];
  /** What it adds to the books, besides what is stored. */
  readonly tally: { -readonly [K in keyof Omit<Counts, "stored">]: number };
}

/** More than this on its way to the disk, and the next batch waits. */
const OUTSTANDING_BYTES_MAX = 16 * 1024 * 1024;
/**
 * Most bytes handed to the queue at once; a longer batch goes in parts, its position with the last.
 */
const APPEND_BYTES_MAX = 16 * 1024 * 1024;

/** The door of one pipeline. */
export class Admission {
  readonly #parts: AdmissionParts;
  readonly #landing = new Set<Promise<unknown>>();
  #turn: Promise<void> = Promise.resolve();
  #records = 0;
  #bytes = 0;
  #roomMade: (() => void) | undefined;
  #closed = false;

  constructor(parts: AdmissionParts) {
    this.#parts = parts;
  }

  /** Records that are in the door: their outcome is not known yet and not in the books. */
  get inFlight(): number {
    return this.#records;
  }

  /** Resolves when the batch is durable; rejects when it was not taken. */
  async admit(applicant: Applicant, options: IntakeOptions = {}): Promise<void> {
    const leave = await this.#enter(options.signal);
    let durable: { readonly landed: Promise<void> };
    try {
      await this.#room(options.signal);
      durable = await this.#process(applicant, options);
    } finally {
      leave();
    }
    await durable.landed;
    if (!applicant.unprocessed) this.#parts.afterBatch();
  }

  /** Lets whoever looks see what passes a stage. */
  show<T>(stage: Stage, component: string, items: readonly T[], show: (item: T) => Shown): void {
    const { taps, name } = this.#parts;
    if (taps?.isOpen && items.length > 0) {
      taps.offer({ stage, pipeline: name, component }, items, show);
    }
  }

  /** Refuses what comes from now on, and waits for what is on its way to the disk. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#turn;
    await Promise.allSettled(this.#landing);
  }

  async #enter(signal: AbortSignal | undefined): Promise<() => void> {
    signal?.throwIfAborted();
    const before = this.#turn;
    let leave = () => {};
    this.#turn = new Promise((resolve) => leave = resolve);
    try {
      await abortable(before, signal);
      if (this.#closed) {
        throw new Error(`Cannot take records: pipeline "${this.#parts.name}" is stopped`);
      }
      return leave;
    } catch (error) {
      // Those behind still wait for those before.
      before.then(leave);
      throw error;
    }
  }

  async #room(signal: AbortSignal | undefined): Promise<void> {
    while (this.#bytes >= OUTSTANDING_BYTES_MAX) {
      await abortable(new Promise<void>((resolve) => this.#roomMade = resolve), signal);
    }
  }

  async #process(
    applicant: Applicant,
    { position, signal }: IntakeOptions,
  ): Promise<{ readonly landed: Promise<void> }> {
    const isProcessed = !applicant.unprocessed && !this.#parts.stage.isEmpty;
    const { drafts, rejected } = applicant.draft(isProcessed);
    this.show("normalized", applicant.receiver, drafts, showRecord);
    const fresh = await this.#unknown(drafts);
    const batch: Outgoing = {
      receiver: applicant.holder ?? applicant.receiver,
      position,
      signal,
      entries: fresh,
      remembered: fresh,
      tally: {
        received: drafts.length + rejected.length,
        filtered: 0,
        duplicate: drafts.length - fresh.length,
        rejected: rejected.length,
      },
    };
    try {
      let refused = rejected;
      if (isProcessed && fresh.length > 0) {
        refused = [...rejected, ...await this.#reshape(batch)];
      }
      if (refused.length > 0) await this.#setAside(refused, applicant.receiver);
    } catch (error) {
      this.#forget(batch.remembered);
      throw error;
    }
    return await this.#append(batch);
  }

  /** Runs the batch through the processors; answers with what they could not take. */
  async #reshape(batch: Outgoing): Promise<readonly Rejected[]> {
    const given = batch.entries;
    const processed = await this.#parts.stage.run(given);
    const before = new Set(given);
    const changed = processed.drafts.filter((draft) => !before.has(draft));
    // What a repeat looked like after the processors is all that is left of it after a restart.
    const fresh = new Set(await this.#unknown(changed));
    batch.remembered = [...given, ...fresh];
    batch.entries = processed.drafts.filter((draft) => before.has(draft) || fresh.has(draft));
    batch.tally.received += processed.added;
    batch.tally.filtered += processed.filtered;
    batch.tally.duplicate += changed.length - fresh.size;
    batch.tally.rejected += processed.rejected.length;
    return processed.rejected;
  }

  /** The drafts that are not in the window, which are in it from now on. */
  async #unknown(drafts: readonly Draft[]): Promise<readonly Draft[]> {
    const { window } = this.#parts;
    const fresh = drafts.filter((draft) => window.add(draft));
    if (fresh.length === drafts.length || this.#landing.size === 0) return fresh;
    // Perhaps known only from a batch that is not durable yet: its outcome decides. While this
    // batch has its turn, no other sets out.
    for (const draft of fresh) window.remove(draft);
    await Promise.allSettled(this.#landing);
    return drafts.filter((draft) => window.add(draft));
  }

  async #setAside(rejected: readonly Rejected[], from: string): Promise<void> {
    const now = this.#parts.clock();
    this.show("rejected", from, rejected, showRejected);
    await this.#parts.deadLetters.add(rejected.map(({ raw, reason, code, id }) => ({
      ...(id === undefined ? {} : { key: id }),
      raw,
      reason,
      code,
      from,
      attempts: 1,
      firstAt: now,
      lastAt: now,
    })));
  }

  /** Hands a batch to the queue; resolves when it is on its way. */
  async #append(batch: Outgoing): Promise<{ readonly landed: Promise<void> }> {
    const { receiver, position, signal, tally } = batch;
    const common = { receiver, ...(signal === undefined ? {} : { signal }) };
    let { entries, remembered } = batch;
    for (let part = firstPart(entries); part < entries.length; part = firstPart(entries)) {
      const first = entries.slice(0, part);
      // Each part before the next: the position that comes with the last must not outrun them.
      await this.#launch({ ...common, entries: first, counts: { received: part } }, remembered);
      const stored = new Set(first);
      remembered = remembered.filter((draft) => !stored.has(draft));
      entries = entries.slice(part);
      tally.received -= part;
    }
    if (entries.length === 0 && tally.received === 0 && position === undefined) {
      return { landed: Promise.resolve() };
    }
    const last = { ...common, entries, counts: tally };
    return {
      landed: this.#launch(position === undefined ? last : { ...last, position }, remembered),
    };
  }

  /** Resolves when it is durable; a batch that is not taken is forgotten by the window. */
  #launch(append: Append, remembered: readonly Draft[]): Promise<void> {
    const { length } = append.entries;
    const bytes = append.entries.reduce((sum, entry) => sum + entry.bytes.length, 0);
    this.#records += length;
    this.#bytes += bytes;
    const landing: Promise<void> = this.#parts.queue.append(append).then(() => {
      this.show("stored", append.receiver ?? "", append.entries, showRecord);
    }, (error) => {
      this.#forget(remembered);
      throw error;
    }).finally(() => {
      this.#landing.delete(landing);
      this.#records -= length;
      this.#bytes -= bytes;
      this.#roomMade?.();
    });
    this.#landing.add(landing);
    return landing;
  }

  #forget(drafts: readonly Draft[]): void {
    for (const draft of drafts) this.#parts.window.remove(draft);
  }
}

/** How many of the entries go into one append; at least one. */
function firstPart(entries: readonly Draft[]): number {
  let bytes = 0;
  for (let i = 0; i < entries.length; i++) {
    bytes += entries[i]!.bytes.length;
    if (bytes > APPEND_BYTES_MAX && i > 0) return i;
  }
  return entries.length;
}

function abortable(wait: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return wait;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort, { once: true });
    wait.then(() => {
      signal.removeEventListener("abort", abort);
      resolve();
    });
  });
}
