// The options of exporter audit_channel.

import { z } from "zod";
import { awsEndpointOption, awsOptions, checkAwsOptions } from "../../sdk/aws/option.ts";

const CHANNEL = /^arn:[a-z][\w-]*:cloudtrail:[a-z0-9-]+:\d{12}:channel\/[A-Za-z0-9-]{1,64}$/;
const { external_id: roleExternalId, ...access } = awsOptions;

/** Its schema. */
export const config = z.strictObject({
  channel_arn: z.string().regex(CHANNEL, "Expected the ARN of a channel: arn:aws:cloudtrail:…")
    .describe("Channel that takes the events")
    .meta({
      examples: [
        "arn:aws:cloudtrail:eu-central-1:111122223333:channel/11111111-2222-4333-8444-555555555555",
      ],
    }),
  external_id: z.string().regex(/^[\w+=,.@:/-]{2,1224}$/, "Expected letters, digits and +=,.@:/-_")
    .optional().describe("External id that the channel's resource policy asks for"),
  endpoint: awsEndpointOption.optional()
    .describe("Scheme, host and port of a service that is not AWS's own"),
  ...access,
  region: access.region.describe("AWS region; that of the channel by default"),
  role_external_id: roleExternalId,
}).superRefine((options, ctx) => {
  checkAwsOptions({ ...options, external_id: undefined }, ctx);
  if (options.role_external_id !== undefined && options.role_arn === undefined) {
    const message = "Needs role_arn beside it";
    const input = options.role_external_id;
    ctx.addIssue({ code: "custom", path: ["role_external_id"], message, input });
  }
});

/** The checked options. */
export type AuditChannelConfig = z.output<typeof config>;
