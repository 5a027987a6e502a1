// A pipeline's way in without its queue: the same door, the same intake, but what would be stored and
// what would be set aside stays in memory, to be looked at. Golden tests of a configuration run on it.

import type {
  AgentIdentity,
  CloudTrailRecord,
  Intake,
  Processor,
} from "../../plugins/sdk/index.ts";
import type { Append, Counts } from "../queue/queue.ts";
import { Admission } from "./admission.ts";
import type { DeadLetters } from "./dead-letters.ts";
import { DEDUPE_ENTRIES_MAX, DedupeWindow } from "./dedupe.ts";
import { createIntake } from "./intake.ts";
import { ProcessorStage } from "./stage.ts";

/** What is rehearsed. */
export interface RehearsalOptions {
  /** Id of the receiver; eventIDs derive from its type. */
  readonly receiver: string;
  readonly processors: readonly Processor[];
  readonly agent: AgentIdentity;
  readonly clock: () => number;
}

/** What was set aside. */
export interface SetAside {
  readonly reason: string;
  readonly raw: Uint8Array;
}

/** One rehearsal; nothing outlives it. */
export class Rehearsal {
  readonly intake: Intake;
  readonly #texts: Uint8Array[] = [];
  readonly #rejected: SetAside[] = [];
  readonly #counts = { received: 0, filtered: 0, duplicate: 0, rejected: 0 };

  constructor({ receiver, processors, agent, clock }: RehearsalOptions) {
    const queue = {
      append: (append: Append) => this.#append(append),
      position: () => undefined,
    };
    const deadLetters = {
      add: (letters: Parameters<DeadLetters["add"]>[0]) => {
        for (const { reason, raw } of letters) this.#rejected.push({ reason, raw });
        return Promise.resolve();
      },
    };
    const window = new DedupeWindow(DEDUPE_ENTRIES_MAX);
    const admission = new Admission({
      name: "rehearsal",
      queue,
      deadLetters,
      window,
      stage: new ProcessorStage(processors, agent),
      clock,
      afterBatch: () => {},
    });
    this.intake = createIntake(receiver, admission, queue, agent);
  }

  /** The records that would be in the queue, read back from their bytes, in its order. */
  records(): CloudTrailRecord[] {
    const decoder = new TextDecoder();
    return this.#texts.map((text) => JSON.parse(decoder.decode(text)) as CloudTrailRecord);
  }

  /** What would be among the dead letters. */
  rejected(): readonly SetAside[] {
    return this.#rejected;
  }

  /** The books: received = filtered + duplicate + rejected + stored. */
  counts(): Counts {
    return { ...this.#counts, stored: this.#texts.length };
  }

  #append({ entries, counts = {} }: Append): Promise<{ first: number; last: number }> {
    const first = this.#texts.length + 1;
    for (const { bytes } of entries) this.#texts.push(bytes);
    this.#counts.received += counts.received ?? 0;
    this.#counts.filtered += counts.filtered ?? 0;
    this.#counts.duplicate += counts.duplicate ?? 0;
    this.#counts.rejected += counts.rejected ?? 0;
    return Promise.resolve({ first, last: this.#texts.length });
  }
}
