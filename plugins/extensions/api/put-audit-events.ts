// PutAuditEvents: the request's form, which channel it is for, and its answer. What an event has to be
// is the channel's to check.

import { type AwsCaller, AwsFault } from "../../sdk/aws/fault.ts";
import {
  type AuditEventEntry,
  type ChannelService,
  type PutAuditEventsResult,
} from "../../sdk/channel-service.ts";
import type { HttpRequest } from "../../sdk/http-message.ts";
import type { JsonObject } from "../../sdk/json.ts";
import { findChannel } from "./channels.ts";
import { structure } from "./input-shapes.ts";
import { validateInput } from "./validate-input.ts";

const INPUT = structure("auditEvents*:AuditEvents");

/** Hands a call to its channel; resolves when it is durable. Throws AwsFault. */
export async function putAuditEvents(
  request: HttpRequest,
  input: JsonObject,
  caller: AwsCaller,
  channels: readonly ChannelService[],
): Promise<PutAuditEventsResult> {
  const { query, signal } = request;
  const arn = query.get("channelArn");
  if (arn === null || !/^[\w./:+=,@-]{1,256}$/.test(arn)) {
    throw new AwsFault("InvalidChannelARN", "channelArn is missing or is no ARN of a channel");
  }
  const externalId = query.get("externalId") ?? undefined;
  if (externalId !== undefined && !/^[\w+=,.@:/-]{2,1224}$/.test(externalId)) {
    const message =
      "Value at 'externalId' failed to satisfy constraint: 2 to 1224 of [\\w+=,.@:/-]";
    throw new AwsFault("ValidationException", `1 validation error detected: ${message}`);
  }
  const { auditEvents } = validateInput(input, INPUT);
  const channel = findChannel(channels, arn);
  if (channel === undefined) {
    throw new AwsFault("ChannelNotFound", `Channel ${arn} does not exist`);
  }
  const entries = auditEvents as unknown as readonly AuditEventEntry[];
  return await channel.put({ auditEvents: entries, externalId, signal }, caller);
}
