// The options of exporter eventbridge.

import { z } from "zod";
import { awsEndpointOption, awsOptions, checkAwsOptions } from "../../sdk/aws/option.ts";
import { eventPattern } from "../../sdk/cloudtrail/event-pattern.ts";
import { size } from "../../sdk/index.ts";

const BUS = /^(arn:[a-z][\w-]*:events:[a-z0-9-]+:\d{12}:event-bus\/)?[/.\-_A-Za-z0-9]{1,256}$/;

/** What a request of EventBridge holds at most, by its current guide. */
const REQUEST_BYTES_MAX = 1024 * 1024;
const REQUEST_BYTES_MIN = 4096;

const common = {
  event_bus_name: z.string().regex(BUS, "Expected the name or the ARN of an event bus")
    .default("default").describe("Event bus, by name or ARN"),
  source: z.string().min(1).max(256)
    .refine(
      (text) => !/^aws\./i.test(text),
      "Sources that begin with aws. are AWS's own: choose another",
    )
    .default("cairn").describe("Source of the events, for rules to ask for"),
  event_pattern: eventPattern.optional()
    .describe("Only events that match are sent: an event pattern as a rule of the bus has it"),
  max_request_size: size.prefault("256KiB").refine(
    (bytes) => bytes >= REQUEST_BYTES_MIN && bytes <= REQUEST_BYTES_MAX,
    "Expected 4KiB to 1MiB",
  ).describe("Bytes of events in a request, and of one event; larger records become dead letters"),
  endpoint_id: z.string().regex(
    /^[A-Za-z0-9-]+\.[A-Za-z0-9-]+$/,
    "Expected an id such as abcde.veo",
  )
    .optional().describe("Id of a global endpoint, in place of the one of a region"),
  endpoint: awsEndpointOption.optional()
    .describe("Scheme, host and port of a service that is not AWS's own"),
};

/** Its schema. */
export const config = z.strictObject({ ...common, ...awsOptions }).superRefine((options, ctx) => {
  checkAwsOptions(options, ctx);
});

/** The checked options. */
export type EventBridgeConfig = z.output<typeof config>;
