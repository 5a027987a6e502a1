// Events put into a channel by who may ask the running agent through its control socket, as
// PutAuditEvents takes them: the operator, in the name of the agent's own account.

import { z } from "zod";
import type { AwsCaller } from "../../plugins/sdk/aws/fault.ts";
import {
  type AuditEventEntry,
  type ChannelDescription,
  type ChannelService,
  channelService,
  type PutAuditEventsResult,
} from "../../plugins/sdk/channel-service.ts";
import type { AgentIdentity } from "../../plugins/sdk/index.ts";
import type { ComponentSet } from "./component-set.ts";
import { askControl } from "./ask-control.ts";
import { type ControlRoutes } from "./control.ts";
import type { DataDir } from "./data-dir.ts";
import { NotFoundError } from "./stores.ts";

/** Longer than a channel waits for room in a queue. */
const ANSWER_MS = 60_000;

const order = z.strictObject({
  channel: z.string().optional(),
  auditEvents: z.array(z.strictObject({
    id: z.string(),
    eventData: z.string(),
    eventDataChecksum: z.string().optional(),
  })),
});

/** The routes of a running agent. */
export function channelRoutes(components: ComponentSet, agent: AgentIdentity): ControlRoutes {
  const { accountId, partition } = agent;
  const caller: AwsCaller = { accountId, arn: `arn:${partition}:iam::${accountId}:root` };
  const channels = () => components.find(channelService);
  return {
    "GET /channels": () => channels().map((channel) => channel.describe()),
    "POST /channels/put": (value, signal) => {
      const { channel, auditEvents } = order.parse(value);
      return choose(channels(), channel).put({ auditEvents, signal }, caller);
    },
  };
}

function choose(channels: readonly ChannelService[], wanted: string | undefined): ChannelService {
  const found = channels.filter((channel) => {
    const { id, name, arn } = channel.describe();
    return wanted === undefined || [id, name, arn].includes(wanted) || arn.endsWith(`/${wanted}`);
  });
  if (found.length === 1) return found[0]!;
  const names = channels.map((channel) => channel.describe().name).join(", ");
  if (channels.length === 0) throw new NotFoundError("No channel is configured");
  if (found.length > 1) throw new NotFoundError(`Name one of the channels: ${names}`);
  throw new NotFoundError(`There is no channel "${wanted}": there are ${names}`);
}

/** Asks a running agent which channels it has. */
export async function askChannels({ socket }: DataDir): Promise<readonly ChannelDescription[]> {
  return await askControl(socket, "/channels") as readonly ChannelDescription[];
}

/** Has a running agent take events; resolves when they are durable. */
export async function putEvents(
  { socket }: DataDir,
  channel: string | undefined,
  auditEvents: readonly AuditEventEntry[],
): Promise<PutAuditEventsResult> {
  const value = { ...(channel !== undefined && { channel }), auditEvents };
  const answer = await askControl(socket, "/channels/put", { value, answerMs: ANSWER_MS });
  return answer as PutAuditEventsResult;
}
