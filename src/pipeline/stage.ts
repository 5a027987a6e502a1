// The processors of a pipeline, between its door and its queue. A reload exchanges them: the door
// waits meanwhile, so that no batch meets one that has stopped.

import type { AgentIdentity, Processor } from "../../plugins/sdk/index.ts";
import type { Draft } from "./draft.ts";
import { type Processed, runProcessors } from "./process.ts";

/** A pipeline's processors. */
export class ProcessorStage {
  readonly #agent: AgentIdentity;
  #processors: readonly Processor[];
  #running: Promise<unknown> | undefined;
  #gate: Promise<void> | undefined;
  #open: (() => void) | undefined;

  constructor(processors: readonly Processor[], agent: AgentIdentity) {
    this.#processors = processors;
    this.#agent = agent;
  }

  /** Whether batches go past. */
  get isEmpty(): boolean {
    return this.#processors.length === 0;
  }

  /** Offers a batch to each processor in turn; waits while they are being exchanged. */
  async run(drafts: readonly Draft[]): Promise<Processed> {
    while (this.#gate !== undefined) await this.#gate;
    const running = runProcessors(this.#processors, drafts, this.#agent);
    this.#running = running;
    try {
      return await running;
    } finally {
      this.#running = undefined;
    }
  }

  /** Resolves when no batch is with a processor; none will be before `resume`. */
  async pause(): Promise<void> {
    this.#gate ??= new Promise((resolve) => this.#open = resolve);
    await this.#running?.catch(() => undefined);
  }

  /** Lets batches in again, to these processors. */
  resume(processors: readonly Processor[]): void {
    this.#processors = processors;
    this.#gate = undefined;
    this.#open?.();
    this.#open = undefined;
  }
}
