// What the page tells of the agent: who it is, what it has to show, and how everything is doing.

import {
  type AgentHealth,
  agentStatusService,
  type DeliveryHealth,
} from "../../sdk/agent-status.ts";
import type { AgentIdentity, Host } from "../../sdk/component.ts";
import { eventHistoryService } from "../../sdk/event-history.ts";
import { insightService } from "../../sdk/insight-service.ts";
import { queryService } from "../../sdk/query-service.ts";
import { trailService } from "../../sdk/trail-service.ts";

/** Who the agent is, and which pages have something to show. `now` in milliseconds. */
export function about(host: Host, { version, host: name, accountId, region }: AgentIdentity) {
  const history = host.find(eventHistoryService)[0];
  return {
    agent: { version, host: name, accountId, region, state: healthOf(host).state },
    // Each has a page, as soon as somebody writes it.
    services: {
      history: history !== undefined,
      insights: host.find(insightService).length > 0,
      lake: host.find(queryService).length > 0,
    },
    history: extentOf(history),
  };
}

/** How everything is doing. */
export function status(host: Host) {
  const { state, components, pipelines } = healthOf(host);
  return {
    state,
    components: components.map(({ kind, id, pipeline, state, reason, since }) => (
      { kind, id, pipeline, state, reason, since }
    )),
    pipelines: pipelines.map(({ name, queue, counts, deadLetters, exporters }) => ({
      name,
      queue: { blocked: queue.blocked, problem: queue.problem, bytes: queue.bytes },
      counts,
      deadLetters,
      exporters: exporters.map(deliveryOf),
    })),
    trails: host.find(trailService).map((trail) => ({ ...trail.describe(), ...trail.status() })),
    history: extentOf(host.find(eventHistoryService)[0]),
  };
}

function deliveryOf(exporter: DeliveryHealth) {
  const { id, state, queued, delivered, deadLettered, excluded, lost, lastError } = exporter;
  return { id, state, queued, delivered, deadLettered, excluded, lost, lastError };
}

function healthOf(host: Host): AgentHealth {
  return host.find(agentStatusService)[0]!.status();
}

/** What a history holds; nothing while it is being opened, or cannot be. */
function extentOf(history: { extent(): object } | undefined): object | undefined {
  try {
    return history?.extent();
  } catch {
    return undefined;
  }
}
