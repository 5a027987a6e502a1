// What the agent does itself, as records in every pipeline: it starts, it stops, its configuration is
// read again, and what components did for somebody.

import type { AuditEvent, JsonObject, Log, SelfAudit } from "../../plugins/sdk/index.ts";
import type { Pipeline } from "../pipeline/pipeline.ts";
import type { ReloadReport } from "./reload-report.ts";

// A queue without room must not keep a stop or an answer waiting.
const PATIENCE_MS = 2000;
// The reasons of a refused configuration; all of them stand in the answer and in the log.
const MESSAGE_CHARS_MAX = 1000;

/** What the records are made of. */
export interface OwnAuditOptions {
  /** What tells this start of the agent from every other. */
  readonly boot: string;
  readonly clock: () => number;
  readonly log: Log;
  readonly isOn: () => boolean;
  readonly pipelines: () => Iterable<Pipeline>;
  /** Said of every start and stop: version, runtime … */
  readonly about: JsonObject;
}

/** The agent's own part of the audit. */
export class OwnAudit implements SelfAudit {
  readonly #options: OwnAuditOptions;
  readonly #opened: Promise<void>;
  #open: () => void = () => {};
  #closed = false;
  #reloads = 0;

  constructor(options: OwnAuditOptions) {
    this.#options = options;
    this.#opened = new Promise((resolve) => this.#open = resolve);
  }

  /** From now on the pipelines take records; those that waited are stored. */
  open(): void {
    this.#open();
  }

  /** No more are taken. */
  close(): void {
    this.#closed = true;
    this.#open();
  }

  async record(event: AuditEvent): Promise<void> {
    await this.#opened;
    await this.#store(event);
  }

  /** Notes the start, with the hash of the configuration. Never rejects. */
  started(hash: string | undefined): Promise<void> {
    return this.#note("StartAgent", this.#about(hash));
  }

  /** Notes the stop; resolves when that is durable, or cannot become so in time. Never rejects. */
  stopped(hash: string | undefined): Promise<void> {
    return this.#note("StopAgent", this.#about(hash));
  }

  /** Notes how a reload ended. Never rejects. */
  reloaded({ trigger, outcome, problems, changes, from, to }: ReloadReport): Promise<void> {
    const isDone = outcome === "applied" || outcome === "unchanged";
    const message = problems.join("; ").slice(0, MESSAGE_CHARS_MAX);
    const code = outcome === "refused" ? "InvalidConfiguration" : "ConfigurationNotApplied";
    return this.#note("ReloadConfiguration", {
      request: { trigger },
      additional: {
        ...this.#options.about,
        outcome,
        changes: [...changes],
        ...(from !== undefined && { configurationHashBefore: from }),
        ...(to !== undefined && { configurationHashAfter: to }),
      },
      ...(!isDone && { outcome: { success: false as const, code, message } }),
    }, `/${++this.#reloads}`);
  }

  #about(hash: string | undefined): Partial<AuditEvent> {
    return { additional: { ...this.#options.about, ...(hash && { configurationHash: hash }) } };
  }

  async #note(action: string, facts: Partial<AuditEvent>, number = ""): Promise<void> {
    const { boot, clock, log } = this.#options;
    const event: AuditEvent = {
      id: `${boot}/${action}${number}`,
      time: clock(),
      service: "cairn",
      action,
      actor: { type: "service", name: "cairn" },
      outcome: { success: true },
      readOnly: false,
      category: "Management",
      ...facts,
    };
    try {
      await this.#store(event, AbortSignal.timeout(PATIENCE_MS));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log.warn(`Cannot record ${action}: ${reason}`);
    }
  }

  async #store(event: AuditEvent, signal?: AbortSignal): Promise<void> {
    const { isOn, pipelines } = this.#options;
    if (!isOn()) return;
    if (this.#closed) throw new Error("Cannot record an action: the agent stops");
    await Promise.all(Array.from(pipelines(), (pipeline) => pipeline.record(event, signal)));
  }
}
