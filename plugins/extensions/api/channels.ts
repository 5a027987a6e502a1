// The operations on channels: those that take events in, each a receiver, and those linked to a
// service, each a view of the exporter that hands matching events on.

import { AwsFault } from "../../sdk/aws/fault.ts";
import { type ChannelService, channelService } from "../../sdk/channel-service.ts";
import type { AgentIdentity } from "../../sdk/component.ts";
import { declarationsService } from "../../sdk/declarations.ts";
import { derivedId } from "../../sdk/derived-id.ts";
import type { JsonObject } from "../../sdk/json.ts";
import { type Call, isOwner, pageOf, seconds, textOf } from "./call.ts";
import { isDeclared, toDeclare } from "./refusal.ts";
import { everything } from "./trails.ts";

type ServiceChannel = Call["serviceChannels"][number];

/** The channel of an ARN, an ARN's UUID or, for operators' sake, a name. */
export function findChannel(
  services: readonly ChannelService[],
  arnOrId: string,
): ChannelService | undefined {
  return services.find((service) => {
    const { arn, name } = service.describe();
    return arn === arnOrId || arn.endsWith(`/${arnOrId}`) || name === arnOrId;
  });
}

/** ListChannels. */
export function listChannels(call: Call): JsonObject {
  if (!isOwner(call)) return pageOf(call, "Channels", []);
  const channels = call.find(channelService).map((service) => service.describe());
  const all = [
    ...channels.map(({ arn, name }) => ({ ChannelArn: arn, Name: name })),
    ...call.serviceChannels.map(({ name }) => ({
      ChannelArn: linkedArn(call.agent, name),
      Name: name,
    })),
  ];
  return pageOf(call, "Channels", all);
}

/** GetChannel. */
export function getChannel(call: Call): JsonObject {
  const wanted = textOf(call, "Channel")!;
  const found = isOwner(call) ? findChannel(call.find(channelService), wanted) : undefined;
  if (found !== undefined) return describe(call, found);
  const linked = findLinked(call, wanted);
  if (linked === undefined) throw notFound(wanted);
  const { exporter, name } = linked;
  const declared = call.find(declarationsService)[0]?.component("exporter", exporter);
  return {
    ChannelArn: linkedArn(call.agent, name),
    Name: name,
    Source: "CloudTrail",
    SourceConfig: {
      ApplyToAllRegions: true,
      AdvancedEventSelectors: declared?.advancedEventSelectors ?? everything(),
    },
    Destinations: [{ Type: "AWS_SERVICE", Location: exporter }],
  };
}

function describe({ agent }: Call, service: ChannelService): JsonObject {
  const { arn, name, source, destinations } = service.describe();
  const { latestSuccess, latestAttempt, latestErrorCode } = service.status();
  return {
    ChannelArn: arn,
    Name: name,
    Source: source,
    SourceConfig: { ApplyToAllRegions: true, AdvancedEventSelectors: [] },
    Destinations: destinations.map((store) => ({
      Type: "EVENT_DATA_STORE",
      Location: store.startsWith("arn:") ? store : storeArn(agent, store),
    })),
    IngestionStatus: {
      LatestIngestionSuccessTime: seconds(latestSuccess?.time),
      LatestIngestionSuccessEventID: latestSuccess?.eventId,
      LatestIngestionErrorCode: latestErrorCode,
      LatestIngestionAttemptTime: seconds(latestAttempt?.time),
      LatestIngestionAttemptEventID: latestAttempt?.eventId,
    },
  };
}

function storeArn({ partition, region, accountId }: AgentIdentity, id: string): string {
  return `arn:${partition}:cloudtrail:${region}:${accountId}:eventdatastore/${id}`;
}

function findLinked(call: Call, wanted: string): ServiceChannel | undefined {
  if (!isOwner(call)) return undefined;
  return call.serviceChannels.find(({ name }) => {
    const arn = linkedArn(call.agent, name);
    return name === wanted || arn === wanted || arn.endsWith(`/${wanted}`);
  });
}

function linkedArn({ partition, region, accountId }: AgentIdentity, name: string): string {
  const id = derivedId("cairn", accountId, region, "channel", name);
  return `arn:${partition}:cloudtrail:${region}:${accountId}:channel/${id}`;
}

function notFound(wanted: string): AwsFault {
  return new AwsFault("ChannelNotFoundException", `Channel ${wanted} does not exist`);
}

/** Everything that would change a channel: refused, with the place where it is declared. */
export function changeChannel(call: Call): never {
  if (call.operation === "CreateChannel") {
    throw toDeclare(call, "Channels", "a receiver channel");
  }
  const wanted = textOf(call, "Channel")!;
  if (findLinked(call, wanted) !== undefined) {
    const message = `Channel "${wanted}" is linked to a service and cannot be changed`;
    throw new AwsFault("OperationNotPermittedException", message);
  }
  const found = isOwner(call) ? findChannel(call.find(channelService), wanted) : undefined;
  if (found === undefined) throw notFound(wanted);
  const { id, name } = found.describe();
  throw isDeclared(call, "receiver", id, `Channel "${name}"`);
}
