// What the agent itself offers components: how it is doing, its audit, where things are declared.

import {
  type AgentStatusService,
  agentStatusService,
  type SelfAudit,
  selfAuditService,
} from "../../plugins/sdk/index.ts";
import { declarationsService } from "../../plugins/sdk/declarations.ts";
import type { ResolvedConfig } from "../config/resolved.ts";
import type { ComponentSet } from "./component-set.ts";

/** Where the services get what they tell. */
export interface OwnServices extends AgentStatusService {
  readonly audit: SelfAudit;
  /** The one that runs now. */
  readonly config: () => ResolvedConfig;
}

/** Offers them, from before the first component starts. */
export function offerOwnServices(
  components: ComponentSet,
  { status, audit, config }: OwnServices,
): void {
  components.provide(agentStatusService, { status });
  components.provide(selfAuditService, audit);
  components.provide(declarationsService, {
    get source() {
      return config().declared?.source ?? "";
    },
    component: (kind, id) => config().declared?.component(kind, id),
  });
}
