// The loop of one exporter: plan a batch, export it until it is delivered or set aside, commit, and
// read the next one meanwhile. Plan and commit are one small file, saved together where the next
// batch is there already. Queue on one side, exporter on the other; it knows no other exporter.

import type { Tracer } from "@opentelemetry/api";
import type {
  ComponentState,
  ExportBatch,
  Exporter,
  Log,
  StoredRecord,
} from "../../plugins/sdk/index.ts";
import type { Cursor, CursorState, Plan } from "../queue/cursor.ts";
import { attempt, type Failure, GaveUp, readFailure } from "./attempt.ts";
import type { DeadLetters } from "./dead-letters.ts";
import { beginExportSpan, endExportSpan } from "./export-span.ts";
import { type BatchOptions, type Gathered, Gatherer } from "./gather.ts";
import { Health, type HealthStatus } from "./health.ts";
import type { RetryOptions } from "./retry.ts";
import { showRecord, showRejected, type TapPoint } from "./taps.ts";

/** The common options of every exporter, compiled. */
export interface DeliverOptions {
  /** Whether the exporter wants a record. */
  readonly selectors: (record: StoredRecord) => boolean;
  readonly batch: BatchOptions;
  readonly retry: RetryOptions;
  /** How long one export may take before its signal aborts. */
  readonly timeoutMs: number;
  /** Told when delivery begins to fail or works again. */
  readonly report?: (state: ComponentState, reason?: string) => void;
}

/** What a delivery is made of. */
export interface DeliveryParts {
  readonly id: string;
  readonly exporter: Exporter;
  readonly cursor: Cursor;
  readonly deadLetters: DeadLetters;
  readonly options: DeliverOptions;
  readonly clock: () => number;
  readonly log: Log;
  /** The pipeline's name, for spans and taps. */
  readonly pipeline?: string;
  readonly tracer?: Tracer | undefined;
  readonly taps?: TapPoint | undefined;
  /** 0 to 1; Math.random by default. */
  readonly random?: () => number;
}

/** How one exporter is doing: its health, and its side of the books as last saved. */
export interface DeliveryStatus extends HealthStatus {
  readonly id: string;
  readonly delivered: number;
  readonly deadLettered: number;
  readonly excluded: number;
  readonly lost: number;
  /** Sequence of the next record to deliver; all below are done. */
  readonly position: number;
  /** How long a batch may wait to fill. */
  readonly batchAgeMsMax: number;
}

/** Delivers a pipeline's records to one exporter. */
export class Delivery {
  readonly #parts: DeliveryParts;
  readonly #stopping = new AbortController();
  readonly #deadline = new AbortController();
  readonly #gatherer: Gatherer;
  readonly #waiting = new Set<{ readonly sequence: number; readonly resolve: () => void }>();
  readonly #health: Health;
  #running: Promise<void> | undefined;

  constructor(parts: DeliveryParts) {
    const { id, cursor, exporter, options, clock, log, random = Math.random } = parts;
    const stop = this.#stopping.signal;
    this.#parts = parts;
    const { selectors } = options;
    const wants = exporter.accepts === undefined
      ? selectors
      : (record: StoredRecord) => selectors(record) && exporter.accepts!(record);
    this.#gatherer = new Gatherer(cursor, wants, options.batch, stop);
    const { retry, report } = options;
    this.#health = new Health({ id, retry, report, clock, random, log, stop });
  }

  /** Begins to deliver, with a plan that was left first. */
  start(): void {
    if (this.#running !== undefined) return;
    this.#health.report("running");
    this.#running = this.#health.insist("deliver", () => this.#run())
      .then(() => this.#health.report("stopped"));
  }

  /**
   * Resolves when all below a sequence is delivered, set aside or excluded, and saved as such; does
   * not wait for batches to fill. Rejects with the signal's reason.
   */
  reached(sequence: number, signal?: AbortSignal): Promise<void> {
    if (this.#parts.cursor.state().position >= sequence) return Promise.resolve();
    if (signal?.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const waiter = {
        sequence,
        resolve: () => {
          signal?.removeEventListener("abort", abort);
          resolve();
        },
      };
      const abort = () => {
        this.#waiting.delete(waiter);
        reject(signal!.reason);
      };
      signal?.addEventListener("abort", abort, { once: true });
      this.#waiting.add(waiter);
      this.#gatherer.flush(sequence);
    });
  }

  /** Ends after the export under way, or at the deadline; a plan that is not delivered stays. */
  async stop(deadline: AbortSignal): Promise<void> {
    this.#stopping.abort();
    const giveUp = () => this.#deadline.abort();
    if (deadline.aborted) giveUp();
    else deadline.addEventListener("abort", giveUp, { once: true });
    await this.#running;
    deadline.removeEventListener("abort", giveUp);
  }

  /** How it is doing now. */
  status(): DeliveryStatus {
    const { position, delivered, deadLettered, excluded, lost } = this.#parts.cursor.state();
    const { id, options: { batch: { maxAgeMs: batchAgeMsMax } } } = this.#parts;
    const books = { delivered, deadLettered, excluded, lost, position };
    return { id, ...this.#health.status(), ...books, batchAgeMsMax };
  }

  async #run(): Promise<void> {
    let state = this.#parts.cursor.state();
    let batch = state.plan === undefined
      ? await this.#gatherer.next(state.position)
      : await this.#gatherer.again(state.plan);
    let unsaved = false;
    while (batch !== undefined && !this.#stopping.signal.aborted) {
      const plan = batch.plan ?? this.#plan(batch);
      if (batch.records.length > 0 && batch.plan === undefined) {
        state = { ...state, plan };
        if (!await this.#save(state)) return;
        unsaved = false;
      }
      const ahead = this.#readAhead(plan.last + 1);
      const dead = await this.#deliver(batch, plan);
      // Given up: the plan stays recorded, and is the first thing after the next start.
      if (dead === undefined) return;
      state = afterBatch(state, batch, dead);
      this.#parts.cursor.release(state.position);
      // Saved together with the next plan where there is one already.
      unsaved = ahead.batch !== undefined && ahead.batch.records.length > 0;
      if (!unsaved && !await this.#save(state)) return;
      batch = await ahead.done;
    }
    if (unsaved) await this.#save(state);
  }

  #plan({ range, runs }: Gathered): Plan {
    const plan = { first: range.first, last: range.last, at: this.#parts.clock() };
    return runs.length > 0 ? { ...plan, excluded: runs } : plan;
  }

  #readAhead(from: number): { batch?: Gathered; readonly done: Promise<Gathered | undefined> } {
    const done = this.#health.insist("read the queue", () => this.#gatherer.next(from));
    const ahead: { batch?: Gathered; readonly done: Promise<Gathered | undefined> } = { done };
    done.then((batch) => {
      if (batch !== undefined) ahead.batch = batch;
    });
    return ahead;
  }

  /** How many became dead letters, once all others are delivered; undefined when given up. */
  async #deliver(batch: Gathered, plan: Plan): Promise<number | undefined> {
    const firstAt = this.#parts.clock();
    let records = batch.records;
    let dead = 0;
    while (records.length > 0) {
      const failure = await this.#offer({ records, range: batch.range, plannedAt: plan.at });
      if (failure === "delivered") break;
      if (failure === "given up") return undefined;
      const left = await this.#recover(failure, records, firstAt);
      if (left === undefined) return undefined;
      if (failure.dead !== undefined) dead += records.length - left.length;
      records = left;
    }
    this.#health.worked();
    return dead;
  }

  async #offer(batch: ExportBatch): Promise<Failure | "delivered" | "given up"> {
    const { id, exporter, pipeline = "", tracer, taps, options: { timeoutMs } } = this.#parts;
    const about = { id, pipeline, failures: this.#health.failures };
    const span = beginExportSpan(tracer, batch, about);
    const late = () => this.#health.trouble(`Export still runs after its timeout: ${timeoutMs} ms`);
    try {
      await attempt(exporter, batch, timeoutMs, this.#deadline.signal, late);
      endExportSpan(span, batch);
      // Before its bytes are taken back.
      if (taps?.isOpen) {
        taps.offer({ stage: "exported", pipeline, component: id }, batch.records, showRecord);
      }
      return "delivered";
    } catch (error) {
      const failure = readFailure(error, batch);
      endExportSpan(span, batch, failure.message);
      return error instanceof GaveUp ? "given up" : failure;
    }
  }

  /** Does what a failure asks for; answers with what is to be offered next, unless stopped. */
  async #recover(
    failure: Failure,
    records: readonly StoredRecord[],
    firstAt: number,
  ): Promise<readonly StoredRecord[] | undefined> {
    const { dead, remaining, afterMs, message } = failure;
    this.#health.failed(message);
    if (dead !== undefined) {
      const failed = records.filter((record) => isDead(failure, record));
      if (!await this.#setAside(failed, failure, firstAt)) return undefined;
      return records.filter((record) => !isDead(failure, record));
    }
    if (!await this.#health.pause(this.#health.failures, afterMs)) return undefined;
    return remaining ? records.filter(({ sequence }) => remaining.has(sequence)) : records;
  }

  async #setAside(
    records: readonly StoredRecord[],
    failure: Failure,
    firstAt: number,
  ): Promise<boolean> {
    const { id, deadLetters, clock, log, pipeline = "", taps } = this.#parts;
    const letters = records.map(({ sequence, bytes }) => ({
      key: String(sequence),
      from: id,
      reason: failure.message,
      code: failure.code,
      attempts: this.#health.failures,
      firstAt,
      lastAt: clock(),
      sequence,
      raw: bytes,
    }));
    if (taps?.isOpen) {
      taps.offer({ stage: "rejected", pipeline, component: id }, letters, showRejected);
    }
    log.error("Records set aside: the exporter will never take them", {
      exporter: id,
      count: records.length,
      reason: failure.message,
    });
    return await this.#health.insist("keep dead letters", async () => {
      await deadLetters.add(letters);
      return true;
    }) === true;
  }

  /** False when it could not be saved before the end. */
  async #save(state: CursorState): Promise<boolean> {
    const saved = await this.#health.insist("save the cursor", async () => {
      await this.#parts.cursor.save(state);
      return true;
    });
    if (saved !== true) return false;
    for (const waiter of this.#waiting) {
      if (waiter.sequence > state.position) continue;
      this.#waiting.delete(waiter);
      waiter.resolve();
    }
    return true;
  }
}

function isDead({ dead }: Failure, { sequence }: StoredRecord): boolean {
  return dead === "all" || (dead !== undefined && dead.has(sequence));
}

/** The books after a batch: its plan is done, and its range is divided among the four. */
function afterBatch(state: CursorState, batch: Gathered, dead: number): CursorState {
  return {
    position: batch.range.last + 1,
    delivered: state.delivered + batch.records.length - dead,
    deadLettered: state.deadLettered + dead,
    excluded: state.excluded + batch.excluded,
    lost: state.lost + batch.lost,
  };
}
