// Asks EventBridge for the bus, for `cairn validate --deep`: events for a bus that is not there are
// taken by AWS and lost without a word.

import { failureOf } from "../../sdk/aws/aws-error.ts";
import { callJson } from "../../sdk/aws/json-call.ts";
import { AwsClient } from "../../sdk/aws/request.ts";
import type { CheckContext, Finding } from "../../sdk/index.ts";
import type { EventBridgeConfig } from "./config.ts";
import { busConnection, busOrigin } from "./put.ts";

/** Needs events:DescribeEventBus. */
export async function check(
  config: EventBridgeConfig,
  context: CheckContext,
): Promise<readonly Finding[]> {
  const { event_bus_name: bus, endpoint_id } = config;
  if (endpoint_id !== undefined) return [];
  const path = "event_bus_name";
  const connection = { ...busConnection(config, context), retriesMax: 0 };
  const client = new AwsClient("events", connection);
  try {
    await callJson(client, {
      action: `Cannot look at event bus "${bus}"`,
      version: "1.1",
      target: "AWSEvents.DescribeEventBus",
      origin: busOrigin(config, connection.region),
      input: { Name: bus },
      signal: context.signal,
    });
    return [{ level: "ok", path, message: `Event bus "${bus}" is there` }];
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const fix = "check region, endpoint and credentials";
    // Who may put events need not be allowed to look at the bus.
    const level = failureOf(error)?.code === "AccessDeniedException" ? "warning" : "problem";
    return [{ level, path, message, fix }];
  } finally {
    await client.close();
  }
}
