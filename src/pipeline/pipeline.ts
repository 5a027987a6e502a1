// A pipeline: its door, its queue, one delivery for each exporter, its dead letters, and the books
// that add them up. Opened, started and stopped by the agent.

import type { Tracer } from "@opentelemetry/api";
import type {
  AgentIdentity,
  AuditEvent,
  Exporter,
  Intake,
  Log,
  Processor,
} from "../../plugins/sdk/index.ts";
import type { Files } from "../queue/files.ts";
import { type Counts, Queue, type QueueStats } from "../queue/queue.ts";
import type { RecoveryReport } from "../queue/recover.ts";
import { Admission } from "./admission.ts";
import { DeadLetters, type LetterCounts } from "./dead-letters.ts";
import { DEDUPE_ENTRIES_MAX, DedupeWindow } from "./dedupe.ts";
import { type DeliverOptions, Delivery, type DeliveryStatus } from "./deliver.ts";
import { fromEvents, messageOf } from "./draft.ts";
import { createIntake } from "./intake.ts";
import { OwnEvents } from "./own-events.ts";
import { queueOptions } from "./queue-options.ts";
import { QueueWatch } from "./queue-watch.ts";
import type { Run } from "./removed-letters.ts";
import { replay, type Replayed, type ReplayOrder } from "./replay.ts";
import { ProcessorStage } from "./stage.ts";
import type { TapPoint } from "./taps.ts";

/** What a pipeline is opened with. */
export interface PipelineOptions {
  readonly name: string;
  readonly directory: string;
  readonly deadLettersDirectory: string;
  readonly queue: {
    readonly bytesMax: number;
    readonly ageMsMax?: number;
    readonly freeDiskBytesMin: number;
    readonly segmentBytesMax?: number;
    readonly overflow: "block" | "drop_oldest";
  };
  readonly agent: AgentIdentity;
  readonly clock: () => number;
  readonly log: Log;
  /** Records told apart from repeats. */
  readonly dedupeEntriesMax?: number;
  readonly processors: readonly Processor[];
  /** Ids of the exporters whose letters may be replayed, where none of them is added. */
  readonly exporters?: readonly string[];
  readonly files?: Files;
  /** Who begins a span around each export; nobody where it is left out. */
  readonly tracer?: Tracer | undefined;
  /** Where records can be looked at as they pass. */
  readonly taps?: TapPoint | undefined;
}

/** One exporter's books and health. */
export interface ExporterStatus extends DeliveryStatus {
  /** Stored and not yet done with: stored = delivered + deadLettered + excluded + lost + queued. */
  readonly queued: number;
}

/** The books (promise P7) and how the parts are doing. */
export interface PipelineStatus {
  readonly name: string;
  /** Degraded while its queue has a problem: `queue.problem` says which. */
  readonly state: "running" | "degraded";
  /** On disk: received = filtered + duplicate + rejected + stored. */
  readonly counts: Counts;
  /** Taken from receivers, outcome not known yet; not in `counts`. */
  readonly inFlight: number;
  readonly queue: QueueStats;
  /** What was found when the queue was opened. */
  readonly recovery: RecoveryReport;
  /** Letters kept. */
  readonly deadLetters: number;
  /** The letters' own books: written = kept + replayed + purged + dropped. */
  readonly letters: LetterCounts;
  readonly exporters: readonly ExporterStatus[];
}

/** One pipeline. */
export class Pipeline {
  readonly name: string;
  readonly #options: PipelineOptions;
  readonly #queue: Queue;
  readonly #watch: QueueWatch;
  readonly #deadLetters: DeadLetters;
  readonly #admission: Admission;
  readonly #ownEvents: OwnEvents;
  readonly #stage: ProcessorStage;
  readonly #deliveries = new Map<string, Delivery>();
  #stopped: Promise<void> | undefined;

  private constructor(
    options: PipelineOptions,
    queue: Queue,
    watch: QueueWatch,
    deadLetters: DeadLetters,
    window: DedupeWindow,
    ownEvents: OwnEvents,
  ) {
    const { name, processors, agent, clock } = options;
    this.name = name;
    this.#options = options;
    this.#queue = queue;
    this.#watch = watch;
    this.#deadLetters = deadLetters;
    this.#ownEvents = ownEvents;
    this.#stage = new ProcessorStage(processors, agent);
    this.#admission = new Admission({
      name,
      queue,
      deadLetters,
      window,
      stage: this.#stage,
      taps: options.taps,
      clock,
      afterBatch: () => ownEvents.flush(),
    });
    ownEvents.open((events) => this.#storeOwn(events));
  }

  /** Opens the queue and the dead letters; throws what Queue.open throws. */
  static async open(options: PipelineOptions): Promise<Pipeline> {
    const { name, agent, clock, log, files } = options;
    const { bytesMax, freeDiskBytesMin } = options.queue;
    const deadLetters = await DeadLetters.open({
      directory: options.deadLettersDirectory,
      bytesMax,
      freeDiskBytesMin,
      agent,
      clock,
      log,
      ...(files === undefined ? {} : { files }),
    });
    try {
      const ownEvents = new OwnEvents(name, clock);
      const watch = new QueueWatch(log, { pipeline: name });
      const queue = await Queue.open(queueOptions(options, ownEvents, watch));
      for (const message of queue.recovery.messages) log.warn(message);
      const entriesMax = options.dedupeEntriesMax ?? DEDUPE_ENTRIES_MAX;
      const window = new DedupeWindow(entriesMax);
      await queue.eachRecent(entriesMax, (record) => window.add(record));
      return new Pipeline(options, queue, watch, deadLetters, window, ownEvents);
    } catch (error) {
      await deadLetters.close();
      throw error;
    }
  }

  /** The way in for one receiver. */
  intake(receiverId: string): Intake {
    return createIntake(receiverId, this.#admission, this.#queue, this.#options.agent);
  }

  /** Adds an exporter, which begins where it ended before, or with the oldest record. */
  async addExporter(id: string, exporter: Exporter, options: DeliverOptions): Promise<void> {
    const { name: pipeline, clock, log, tracer, taps } = this.#options;
    const cursor = await this.#queue.cursor(id);
    const deadLetters = this.#deadLetters;
    const parts = { id, exporter, cursor, deadLetters, options, clock, log };
    this.#deliveries.set(id, new Delivery({ ...parts, pipeline, tracer, taps }));
  }

  /** Ends delivery to an exporter, at the latest at the deadline; its place in the queue stays. */
  async removeExporter(id: string, deadline: AbortSignal): Promise<void> {
    await this.#deliveries.get(id)?.stop(deadline);
    this.#deliveries.delete(id);
    // An export that was given up may still read its batch: what comes next has other memory.
    await this.#queue.releaseCursor(id);
  }

  /** Begins to deliver to the exporters that were added. */
  deliver(): void {
    for (const delivery of this.#deliveries.values()) delivery.start();
  }

  /** The same; those that are no longer there hold nothing back: what they have not had is let go. */
  start(): void {
    this.#queue.retainCursors([...this.#deliveries.keys()]).catch((error: unknown) => {
      const reason = messageOf(error);
      this.#options.log.warn("Cannot remove the cursors of removed exporters", { reason });
    });
    this.deliver();
  }

  /** Whether nothing is wrong with any delivery. */
  get isDelivering(): boolean {
    return [...this.#deliveries.values()].every((each) => each.status().state === "running");
  }

  /** Other limits of its queue from now on; those of the dead letters stay. */
  limit(queue: PipelineOptions["queue"]): void {
    this.#queue.limit(queue);
  }

  /** The processors, for whoever exchanges them. */
  get stage(): Pick<ProcessorStage, "pause" | "resume"> {
    return this.#stage;
  }

  /** Stores an event of the agent's own, past the processors; resolves when it is durable. */
  record(event: AuditEvent, signal?: AbortSignal): Promise<void> {
    return this.#storeOwn([event], signal);
  }

  /** The dead letters, for whoever lists them. */
  get deadLetters(): DeadLetters {
    return this.#deadLetters;
  }

  /** Hands dead letters in again; each leaves when its record is durable. */
  replay(order: ReplayOrder): Promise<Replayed> {
    return replay({
      queue: this.#queue,
      deadLetters: this.#deadLetters,
      admission: this.#admission,
      agent: this.#options.agent,
      exporters: () => this.#options.exporters ?? this.#deliveries.keys(),
    }, order);
  }

  /** Lets dead letters go for ever; answers how many of them were there. */
  purge(runs: readonly Run[]): Promise<number> {
    return this.#deadLetters.exclusive(() => this.#deadLetters.remove(runs, "purged"));
  }

  /**
   * Resolves when every exporter is done with all that was stored when it was called; batches do
   * not wait to fill. Rejects with the signal's reason. To be called after `start`.
   */
  async drained(signal?: AbortSignal): Promise<void> {
    const end = this.#queue.nextSequence();
    await Promise.all([...this.#deliveries.values()].map((each) => each.reached(end, signal)));
  }

  /** Ends delivery, at the latest at the deadline, then closes the queue. What is queued stays. */
  stop(deadline: AbortSignal): Promise<void> {
    this.#stopped ??= this.#stop(deadline);
    return this.#stopped;
  }

  /** The books now. */
  status(): PipelineStatus {
    const next = this.#queue.nextSequence();
    const queue = this.#queue.stats();
    const letters = this.#deadLetters.counts();
    return {
      name: this.name,
      state: queue.problem === undefined ? "running" : "degraded",
      counts: this.#queue.counts(),
      inFlight: this.#admission.inFlight,
      queue,
      recovery: this.#queue.recovery,
      deadLetters: letters.kept,
      letters,
      exporters: [...this.#deliveries.values()].map((delivery) => {
        const status = delivery.status();
        return { ...status, queued: next - status.position };
      }),
    };
  }

  async #stop(deadline: AbortSignal): Promise<void> {
    await Promise.all([...this.#deliveries.values()].map((delivery) => delivery.stop(deadline)));
    this.#ownEvents.close();
    this.#watch.stop();
    // A queue that blocks would keep the door waiting: closing it turns those away who wait.
    const closed = this.#admission.close();
    await this.#queue.close();
    await closed;
    await this.#deadLetters.close();
  }

  #storeOwn(events: readonly AuditEvent[], signal?: AbortSignal): Promise<void> {
    const draft = () => fromEvents(events, "cairn", this.#options.agent, false);
    const options = signal === undefined ? {} : { signal };
    return this.#admission.admit({ receiver: "cairn", draft, unprocessed: true }, options);
  }
}
