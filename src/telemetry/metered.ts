// What the instruments show of the agent's status: the part of it that they read.

import type { ComponentKind, ComponentState } from "../../plugins/sdk/index.ts";

/** What of the agent's status the instruments show. */
export interface Metered {
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly components: readonly MeteredComponent[];
  readonly pipelines: readonly MeteredPipeline[];
}

/** One component. */
export interface MeteredComponent {
  readonly kind: ComponentKind;
  readonly id: string;
  readonly pipeline?: string;
  readonly state: ComponentState;
  readonly ignored?: Readonly<Record<string, number>>;
  /** Set for a receiver. */
  readonly intake?: MeteredIntake;
}

/** What a receiver passed on since it was made. */
export interface MeteredIntake {
  readonly accepted: number;
  readonly rejected: number;
  readonly refused: number;
}

/** One pipeline's books. */
export interface MeteredPipeline {
  readonly name: string;
  readonly counts: Readonly<
    Record<"received" | "filtered" | "duplicate" | "rejected" | "stored", number>
  >;
  readonly inFlight: number;
  readonly queue: {
    readonly bytes: number;
    readonly segments: number;
    readonly blocked: boolean;
    readonly lastSyncMs: number;
  };
  readonly letters: { readonly kept: number };
  readonly exporters: readonly MeteredExporter[];
}

/** One exporter's side of the books. */
export interface MeteredExporter {
  readonly id: string;
  readonly delivered: number;
  readonly deadLettered: number;
  readonly excluded: number;
  readonly lost: number;
  readonly queued: number;
  readonly failures: number;
}
