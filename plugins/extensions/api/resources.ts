// What all resources have in common, whichever they are: tags, policies and the configuration of their
// events. The configuration declares them, so they are readable.

import { AwsFault } from "../../sdk/aws/fault.ts";
import { channelService } from "../../sdk/channel-service.ts";
import type { ComponentKind } from "../../sdk/factory.ts";
import type { JsonObject } from "../../sdk/json.ts";
import { findChannel } from "./channels.ts";
import { type Call, isOwner, placeOf, textOf } from "./call.ts";
import { isDeclared } from "./refusal.ts";
import { findStore } from "./stores.ts";
import { findTrail } from "./trails.ts";

const IDS_MAX = 20;

/** A trail, a channel or an event data store, with the component that declares it. */
interface Resource {
  readonly kind: ComponentKind;
  readonly id: string;
  /** How the caller knows it: `Trail "main"`. */
  readonly what: string;
  readonly arn: string;
  readonly policy?: string | undefined;
}

function findResource(call: Call, arn: string): Resource {
  const type = /^arn:[^:]+:cloudtrail:[^:]*:\d{12}:([a-z]+)\//.exec(arn)?.[1];
  if (type === "trail") {
    const { about } = findTrail(call, arn);
    return { kind: "exporter", id: about.id, what: `Trail "${about.name}"`, arn };
  }
  if (type === "eventdatastore") {
    const { store } = findStore(call, arn);
    const { id, name, resourcePolicy: policy } = store;
    return { kind: "exporter", id, what: `Event data store "${name}"`, arn, policy };
  }
  if (type === "channel") {
    const found = isOwner(call) ? findChannel(call.find(channelService), arn) : undefined;
    const about = found?.describe();
    if (about !== undefined) {
      const { id, name, resourcePolicy: policy } = about;
      return { kind: "receiver", id, what: `Channel "${name}"`, arn, policy };
    }
  }
  if (type !== undefined) {
    throw new AwsFault("ResourceNotFoundException", `Resource ${arn} does not exist`);
  }
  throw new AwsFault("CloudTrailARNInvalidException", `The ARN is not valid: ${arn.slice(0, 256)}`);
}

/** ListTags: there are none, as the configuration has no place for them. */
export function listTags(call: Call): JsonObject {
  const ids = call.input.ResourceIdList as readonly string[];
  if (ids.length === 0 || ids.length > IDS_MAX) {
    throw new AwsFault("InvalidParameterException", "Name 1 to 20 resources");
  }
  placeOf(call, "InvalidTokenException");
  return {
    ResourceTagList: ids.map((id) => ({ ResourceId: findResource(call, id).arn, TagsList: [] })),
  };
}

/** AddTags, RemoveTags, PutResourcePolicy, DeleteResourcePolicy: refused, with the place. */
export function changeResource(call: Call): never {
  const arn = textOf(call, "ResourceId") ?? textOf(call, "ResourceArn")!;
  const { kind, id, what } = findResource(call, arn);
  throw isDeclared(call, kind, id, what);
}

/** GetResourcePolicy. */
export function getResourcePolicy(call: Call): JsonObject {
  const { arn, what, policy } = findResource(call, textOf(call, "ResourceArn")!);
  if (policy !== undefined) return { ResourceArn: arn, ResourcePolicy: policy };
  throw new AwsFault("ResourcePolicyNotFoundException", `${what} has no resource policy`);
}

/** GetEventConfiguration: what AWS answers where nothing was ever set. */
export function getEventConfiguration(call: Call): JsonObject {
  const { MaxEventSize, ContextKeySelectors, AggregationConfigurations } = {
    MaxEventSize: "Standard",
    ContextKeySelectors: [],
    AggregationConfigurations: [],
  };
  const trail = textOf(call, "TrailName");
  const store = textOf(call, "EventDataStore");
  if ((trail === undefined) === (store === undefined)) {
    const message = "Name either a trail or an event data store";
    throw new AwsFault("InvalidParameterCombinationException", message);
  }
  if (trail !== undefined) {
    const { about } = findTrail(call, trail);
    return { TrailARN: about.arn, MaxEventSize, ContextKeySelectors, AggregationConfigurations };
  }
  const { arn } = findStore(call, store!).store;
  return { EventDataStoreArn: arn, MaxEventSize, ContextKeySelectors };
}

/** PutEventConfiguration, PutInsightSelectors of a store: refused, with the place. */
export function changeConfiguration(call: Call): never {
  const trail = textOf(call, "TrailName");
  const store = textOf(call, "EventDataStore");
  if ((trail === undefined) === (store === undefined)) {
    const message = "Name either a trail or an event data store";
    throw new AwsFault("InvalidParameterCombinationException", message);
  }
  if (trail !== undefined) {
    const { about } = findTrail(call, trail);
    throw isDeclared(call, "exporter", about.id, `Trail "${about.name}"`);
  }
  const found = findStore(call, store!).store;
  throw isDeclared(call, "exporter", found.id, `Event data store "${found.name}"`);
}
