// The options of receiver `cloudtrail`.

import { z } from "zod";
import { awsEndpointOption, awsOptions, checkAwsOptions } from "../../sdk/aws/option.ts";
import { duration } from "../../sdk/option.ts";

const FROM = ["path", "bucket", "sqs_queue_url"] as const;

/** What stands beside each of them alone. */
const ONLY_WITH: Readonly<Record<string, readonly (typeof FROM[number])[]>> = {
  prefix: ["bucket"],
  start_at: ["bucket"],
  endpoint: ["bucket", "sqs_queue_url"],
  force_path_style: ["bucket", "sqs_queue_url"],
  verify_digests: ["bucket", "sqs_queue_url"],
  public_key_files: ["bucket", "sqs_queue_url"],
  ...Object.fromEntries(
    Object.keys(awsOptions).map((name) => [name, ["bucket", "sqs_queue_url"] as const]),
  ),
};

/** Below these, asking would be all the receiver does; in milliseconds. SQS knows twelve hours. */
const BOUNDS = [
  { name: "poll_interval", min: 10, max: Infinity, message: "Expected at least 10ms" },
  {
    name: "visibility_timeout",
    min: 100,
    max: 12 * 3_600_000,
    message: "Expected between 100ms and 12h",
  },
] as const;

/** Checks and completes what the operator wrote. */
export const config = z.strictObject({
  path: z.string().min(1).optional()
    .describe("Folder (with all folders below it), file, or glob of CloudTrail log files"),
  rescan: duration.prefault("30s")
    .describe("How often the folders are looked through, beside being watched"),
  settle: duration.prefault("2s")
    .describe("How long a file that is not compressed must have stayed the same to be read"),
  incomplete_timeout: duration.prefault("10m")
    .describe("How long a file that breaks off is waited for before its rest is set aside"),
  bucket: z.string().min(1).optional()
    .describe("Bucket of S3, or of a store that speaks like it, with CloudTrail log files"),
  prefix: z.string().optional()
    .describe("What the keys of the bucket's log files begin with"),
  start_at: z.union([z.enum(["beginning", "end"]), z.iso.date(), z.iso.datetime()]).optional()
    .describe("Where a bucket is first read from: beginning (the default), end, or a date (UTC)"),
  poll_interval: duration.prefault("1m")
    .describe("How often a bucket is listed"),
  late: duration.prefault("1d")
    .describe("How long after a day's end its folder in a bucket is still looked into"),
  sqs_queue_url: awsEndpointOption.optional()
    .describe("URL of the SQS queue that is told of new log files"),
  visibility_timeout: duration.prefault("2m")
    .describe("How long a message of the queue is hidden from others, extended while it is read"),
  endpoint: awsEndpointOption.optional()
    .describe("Scheme, host and port of a store that is not AWS's own"),
  force_path_style: z.boolean().optional()
    .describe("The bucket in the path, not in the host's name; by default so with an endpoint"),
  ...awsOptions,
  verify_digests: z.boolean().default(false)
    .describe("Digests and the log files they name are verified; what differs is reported"),
  public_key_files: z.array(z.string().min(1)).optional()
    .describe("Keys that digests are verified with (PEM, DER or base64), not CloudTrail's own"),
}).superRefine((options, ctx) => {
  const named = FROM.filter((name) => options[name] !== undefined);
  if (named.length !== 1) {
    const which = named.length === 0 ? "none of them" : named.join(" and ");
    const message = `Expected exactly one of ${FROM.join(", ")}; there is ${which}`;
    ctx.addIssue({ code: "custom", path: [named[1] ?? "path"], message, input: options });
    return;
  }
  for (const [name, value] of Object.entries(options)) {
    const allowed = ONLY_WITH[name];
    if (allowed === undefined || value === undefined || value === false) continue;
    if (allowed.includes(named[0]!)) continue;
    const message = `Stands only beside ${allowed.join(" or ")}`;
    ctx.addIssue({ code: "custom", path: [name], message, input: value });
  }
  for (const { name, min, max, message } of BOUNDS) {
    if (options[name] >= min && options[name] <= max) continue;
    ctx.addIssue({ code: "custom", path: [name], message, input: options });
  }
  if (options.public_key_files !== undefined && !options.verify_digests) {
    const message = "Needs verify_digests: true beside it";
    ctx.addIssue({ code: "custom", path: ["public_key_files"], message, input: options });
  }
  checkAwsOptions(options, ctx);
});

/** What the operator wrote, defaults filled in. */
export type CloudTrailConfig = z.output<typeof config>;
