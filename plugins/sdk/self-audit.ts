// The agent's own actions as events: a component that does something for somebody (answers a query,
// stops a trail) hands in who did it, and it becomes a record like any other. The host offers it.

import type { AuditEvent } from "./event.ts";
import { type ServiceKind, serviceKind } from "./service.ts";

/** Takes what the agent, or somebody through it, has done. */
export interface SelfAudit {
  /**
   * Resolves when the event is durable in every pipeline, past its processors; at once where the
   * configuration turns self-audit off. Waits while the agent starts and while a queue has no room;
   * rejects where the agent stops. The service `cairn` becomes eventSource `cairn.<domain>`; the id
   * must never come twice for two actions, also after a restart.
   */
  record(event: AuditEvent): Promise<void>;
}

/** The kind; there is always exactly one. */
export const selfAuditService: ServiceKind<SelfAudit> = serviceKind("self audit");
