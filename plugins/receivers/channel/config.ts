// The options of receiver `channel`.

import { z } from "zod";
import { resourcePolicy } from "../../sdk/cloudtrail/resource-policy.ts";

const STORE = /^[a-zA-Z0-9._/:*-]{3,1024}$/;

/** Its schema. */
export const config = z.strictObject({
  name: z.string().regex(/^[a-zA-Z0-9._-]{3,128}$/, "Expected 3 to 128 letters, digits, . _ -")
    .meta({ examples: ["apps"] }).describe("Name of the channel"),
  id: z.string().regex(
    /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/,
    "Expected a UUID in lower case",
  ).optional().describe(
    "Last part of the channel's ARN; derived from account, region and name if unset",
  ),
  source: z.string().min(1).max(256).default("Custom").describe(
    "Custom, or a partner's name, which the events then have to have as their eventSource",
  ),
  destinations: z.array(z.string().regex(STORE, "Expected the ARN or id of an event data store"))
    .max(200).default([]).describe("Event data stores that GetChannel names as destinations"),
  resource_policy: resourcePolicy.optional().describe(
    "Who may send events, as AWS spells it; the agent's own account may without one",
  ),
});

/** The options, checked. */
export type ChannelConfig = z.output<typeof config>;
