// RecordingIntake: an Intake that keeps what it is given and fails, waits or dies when a test says
// so. It is harsher than the pipeline: it reads the bytes only when a call becomes durable, and a
// call that follows a failed one is taken.

import type { AuditEvent } from "../event.ts";
import { RejectedInput } from "../errors.ts";
import type { CloudTrailRecord } from "../cloudtrail/record.ts";
import { parseRecord } from "../cloudtrail/parse-record.ts";
import type { Intake, IntakeOptions, Position, RecordOptions } from "../intake.ts";

/** Input that a receiver set aside. */
export interface Rejected {
  readonly id: string | undefined;
  readonly raw: Uint8Array;
  readonly reason: string;
}

/** What has become durable; shared by the intakes before and after a simulated crash. */
interface Durable {
  readonly events: AuditEvent[];
  readonly records: CloudTrailRecord[];
  readonly bytes: Uint8Array[];
  readonly rejects: Rejected[];
  readonly ids: string[];
  position: Position | undefined;
}

/** How blocked calls treat their signal: `deaf` ones never answer, not even to an abort. */
export interface BlockOptions {
  readonly deaf?: boolean;
}

/** Makes an intake that records; `position` is what an earlier run left. */
export function recordingIntake(position?: Position): RecordingIntake {
  return new RecordingIntake({
    events: [],
    records: [],
    bytes: [],
    rejects: [],
    ids: [],
    position,
  });
}

/** See recordingIntake. */
export class RecordingIntake implements Intake {
  readonly #durable: Durable;
  #failures: Error[] = [];
  #gate: Promise<void> | undefined;
  #open: () => void = () => {};
  #deaf = false;
  #dead = false;
  #tail: Promise<void> = Promise.resolve();
  #calls = 0;
  #outstanding = 0;
  #outstandingMax = 0;
  #outstandingItems = 0;

  constructor(durable: Durable) {
    this.#durable = durable;
  }

  /** Durable events, in order. */
  get takenEvents(): readonly AuditEvent[] {
    return this.#durable.events;
  }

  /** Durable records, in order. */
  get takenRecords(): readonly CloudTrailRecord[] {
    return this.#durable.records;
  }

  /** The JSON text of each durable record, copied when it became durable. */
  get takenBytes(): readonly Uint8Array[] {
    return this.#durable.bytes;
  }

  /** Durable rejects, in order. */
  get rejects(): readonly Rejected[] {
    return this.#durable.rejects;
  }

  /** Event ids and eventIDs of all that is durable, in order. */
  get ids(): readonly string[] {
    return this.#durable.ids;
  }

  /** Calls made so far. */
  get calls(): number {
    return this.#calls;
  }

  /** Calls not yet answered. */
  get outstanding(): number {
    return this.#outstanding;
  }

  /** The most calls that were unanswered at once. */
  get outstandingMax(): number {
    return this.#outstandingMax;
  }

  /** Events, records and rejects inside unanswered calls. */
  get outstandingItems(): number {
    return this.#outstandingItems;
  }

  /** Lets the next `count` calls reject; nothing of them is taken. */
  failNext(count: number, error = new Error("Cannot store batch: made to fail by the test")): void {
    for (let i = 0; i < count; i++) this.#failures.push(error);
  }

  /** Leaves calls unanswered until `unblock`. */
  block(options: BlockOptions = {}): void {
    this.#deaf = options.deaf ?? false;
    this.#gate ??= new Promise((resolve) => this.#open = resolve);
  }

  /** Lets blocked calls go on, in their order. */
  unblock(): void {
    this.#gate = undefined;
    this.#open();
  }

  /**
   * Ends this intake as kill -9 would: unanswered and later calls are never answered nor taken.
   * Returns the intake of the next run, which has what was durable.
   */
  crash(): RecordingIntake {
    this.#dead = true;
    return new RecordingIntake(this.#durable);
  }

  position(): Position | undefined {
    return this.#durable.position;
  }

  events(events: readonly AuditEvent[], options: IntakeOptions = {}): Promise<void> {
    return this.#call(events.length, options, () => {
      for (const event of events) {
        this.#durable.events.push(event);
        this.#durable.ids.push(event.id);
      }
    });
  }

  records(
    texts: readonly Uint8Array[],
    options: IntakeOptions & RecordOptions = {},
  ): Promise<void> {
    return this.#call(texts.length, options, () => {
      for (const [i, text] of texts.entries()) this.#takeRecord(text, options.identify?.(i));
    });
  }

  #takeRecord(text: Uint8Array, id: string | undefined): void {
    try {
      const { record, bytes } = parseRecord(text);
      this.#durable.records.push(record);
      this.#durable.bytes.push(bytes.slice());
      this.#durable.ids.push(record.eventID ?? "");
    } catch (error) {
      if (!(error instanceof RejectedInput)) throw error;
      this.#setAside({ id, raw: text.slice(), reason: error.message });
    }
  }

  /** The same input read again after a crash is set aside once. */
  #setAside(rejected: Rejected): void {
    const { id } = rejected;
    if (id !== undefined && this.#durable.rejects.some((known) => known.id === id)) return;
    this.#durable.rejects.push(rejected);
  }

  reject(
    raw: Uint8Array,
    reason: string,
    options: IntakeOptions & { readonly id?: string } = {},
  ): Promise<void> {
    const { id } = options;
    return this.#call(1, options, () => this.#setAside({ id, raw: raw.slice(), reason }));
  }

  #call(items: number, options: IntakeOptions, take: () => void): Promise<void> {
    this.#calls++;
    this.#outstanding++;
    this.#outstandingItems += items;
    this.#outstandingMax = Math.max(this.#outstandingMax, this.#outstanding);
    const answer = this.#tail.then(() => this.#answer(options, take));
    this.#tail = answer.catch(() => {});
    return answer.finally(() => {
      this.#outstanding--;
      this.#outstandingItems -= items;
    });
  }

  async #answer({ position, signal }: IntakeOptions, take: () => void): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#gate !== undefined) await this.#wait(this.#gate, signal);
    if (this.#dead) await new Promise(() => {});
    const failure = this.#failures.shift();
    if (failure !== undefined) throw failure;
    take();
    if (position !== undefined) this.#durable.position = merge(this.#durable.position, position);
  }

  async #wait(gate: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
    if (this.#deaf || signal === undefined) return await gate;
    signal.throwIfAborted();
    let abort = () => {};
    const aborted = new Promise<never>((_, reject) => {
      abort = () => reject(signal.reason);
      signal.addEventListener("abort", abort, { once: true });
    });
    await Promise.race([gate, aborted]).finally(() => signal.removeEventListener("abort", abort));
  }
}

/** Merges by top-level keys, as the queue does: null removes. */
function merge(stored: Position | undefined, moved: Position): Position {
  // Stored as JSON, so that a value which does not survive it is found.
  const merged = { ...stored, ...JSON.parse(JSON.stringify(moved)) as Position };
  return Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== null));
}
