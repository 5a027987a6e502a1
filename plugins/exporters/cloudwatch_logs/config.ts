// The options of exporter cloudwatch_logs.

import { z } from "zod";
import { awsEndpointOption, awsOptions, checkAwsOptions } from "../../sdk/aws/option.ts";
import { size } from "../../sdk/index.ts";
import { streamProblem } from "./stream-name.ts";

const GROUP = /^[.\-_/#A-Za-z0-9]{1,512}$/;

/** What CloudWatch Logs takes in one event; CloudTrail itself stops at 256 KB. */
const EVENT_BYTES_MAX = 1024 * 1024 - 26;
const EVENT_BYTES_MIN = 1024;

const own = {
  log_group_name: z.string().regex(GROUP, "Expected letters, digits and . - _ / #, at most 512")
    .describe("Log group that the records are written to").meta({ examples: ["/cairn/audit"] }),
  log_stream_name: z.string().default("{account}_CloudTrail_{region}").superRefine((name, ctx) => {
    const problem = streamProblem(name);
    if (problem !== undefined) ctx.addIssue({ code: "custom", message: problem, input: name });
  }).describe(
    "Log stream; {account} is the record's, {region} the trail's (option region), {host} this host",
  ),
  create_log_group: z.boolean().default(false)
    .describe("A log group that is not there is made; streams always are"),
  timestamp: z.enum(["delivery", "event"]).default("delivery").describe(
    "Time of the log events: that of delivery, as CloudTrail writes it, or the record's eventTime",
  ),
  max_event_size: size.prefault("256KiB").refine(
    (bytes) => bytes >= EVENT_BYTES_MIN && bytes <= EVENT_BYTES_MAX,
    "Expected at least 1KiB, below 1MiB",
  ).describe(
    "Bytes of a record; larger ones become dead letters, where CloudTrail leaves them out",
  ),
  endpoint: awsEndpointOption.optional()
    .describe("Scheme, host and port of a service that is not AWS's own"),
};

/** Its schema. */
export const config = z.strictObject({ ...own, ...awsOptions }).superRefine((options, ctx) => {
  checkAwsOptions(options, ctx);
});

/** The checked options. */
export type CloudWatchLogsConfig = z.output<typeof config>;
