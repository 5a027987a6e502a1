// Asks CloudTrail for the channel, for `cairn validate --deep`.

import { failureOf } from "../../sdk/aws/aws-error.ts";
import { callJson } from "../../sdk/aws/json-call.ts";
import { AwsClient } from "../../sdk/aws/request.ts";
import { awsEndpoint } from "../../sdk/aws/s3.ts";
import type { CheckContext, Finding } from "../../sdk/index.ts";
import type { AuditChannelConfig } from "./config.ts";
import { channelConnection } from "./put.ts";

/** Needs cloudtrail:GetChannel. */
export async function check(
  config: AuditChannelConfig,
  context: CheckContext,
): Promise<readonly Finding[]> {
  const { channel_arn: channel, endpoint } = config;
  const path = "channel_arn";
  const connection = { ...channelConnection(config, context), retriesMax: 0 };
  const client = new AwsClient("cloudtrail", connection);
  try {
    await callJson(client, {
      action: `Cannot look at channel "${channel}"`,
      version: "1.1",
      target: "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.GetChannel",
      origin: new URL(endpoint ?? awsEndpoint("cloudtrail", connection.region)).origin,
      input: { Channel: channel },
      signal: context.signal,
    });
    return [{ level: "ok", path, message: `Channel "${channel}" is there` }];
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const fix = "check region, endpoint and credentials";
    // Who may put events need not be allowed to look at the channel.
    const level = failureOf(error)?.code === "AccessDeniedException" ? "warning" : "problem";
    return [{ level, path, message, fix }];
  } finally {
    await client.close();
  }
}
