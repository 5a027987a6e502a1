// The agent's own status as a service: how an extension learns how everything is doing. The host
// offers it from before the first component starts.

import type { ComponentState } from "./component.ts";
import type { ComponentKind } from "./factory.ts";
import { type ServiceKind, serviceKind } from "./service.ts";

/** How an agent is doing now. Times are in milliseconds since the epoch. */
export interface AgentHealth {
  readonly state: "starting" | "running" | "stopping";
  readonly components: readonly ComponentHealth[];
  readonly pipelines: readonly PipelineHealth[];
}

/** How one component is doing. */
export interface ComponentHealth {
  readonly kind: ComponentKind;
  readonly id: string;
  /** Set for a processor, which each pipeline has for itself. */
  readonly pipeline?: string;
  readonly state: ComponentState;
  readonly reason?: string;
  /** When it came into this state. */
  readonly since: number;
}

/** How far one pipeline got. */
export interface PipelineHealth {
  readonly name: string;
  readonly queue: {
    /** Receivers wait for room. */
    readonly blocked: boolean;
    readonly problem?: string | undefined;
    /** On the disk. */
    readonly bytes?: number;
  };
  /** The books: received = filtered + duplicate + rejected + stored. */
  readonly counts?: {
    readonly received: number;
    readonly filtered: number;
    readonly duplicate: number;
    readonly rejected: number;
    readonly stored: number;
  };
  /** Letters kept. */
  readonly deadLetters?: number;
  readonly exporters: readonly DeliveryHealth[];
}

/** How far one exporter got. */
export interface DeliveryHealth {
  readonly id: string;
  /** Degraded while delivery fails or takes longer than its timeout. */
  readonly state: ComponentState;
  /** Records not yet done with. */
  readonly queued: number;
  /** Sequence of the next record to deliver: grows with every batch that is done. */
  readonly position: number;
  /** How long a batch may wait to fill while nothing is wrong. */
  readonly batchAgeMsMax: number;
  /** The books: stored = delivered + deadLettered + excluded + lost + queued. */
  readonly delivered?: number;
  readonly deadLettered?: number;
  readonly excluded?: number;
  readonly lost?: number;
  /** Set while delivery fails: what it said. */
  readonly lastError?: string | undefined;
}

/** Tells how the agent is doing. Cheap: reads what is in memory. */
export interface AgentStatusService {
  status(): AgentHealth;
}

/** The kind; there is always exactly one. */
export const agentStatusService: ServiceKind<AgentStatusService> = serviceKind("agent status");
