// The options of exporter `trail`.

import { z } from "zod";
import { awsEndpointOption, awsOptions, checkAwsOptions } from "../../sdk/aws/option.ts";
import { PART_BYTES_MIN } from "../../sdk/aws/s3-write.ts";
import { duration, size } from "../../sdk/option.ts";
import { logFileValidation } from "./digest-options.ts";

/** A trail's name as CloudTrail allows it. */
const name = z.string().min(3).max(128)
  .regex(
    /^[A-Za-z0-9]+([._-][A-Za-z0-9]+)*$/,
    "Expected letters and digits, with single . _ - between them",
  )
  .refine((text) => !/^\d{1,3}(\.\d{1,3}){3}$/.test(text), "Expected a name, not an IP address");

const NOT_DOTS = "Expected no part of dots alone";
const FOLDER_PREFIX = /^([A-Za-z0-9!_.*'()-]+(\/[A-Za-z0-9!_.*'()-]+)*)?$/;

/** A bucket takes any text; what cannot be a folder's name is refused there, see below. */
const prefix = z.string().max(200)
  .regex(
    /^([^/\p{Cc}]+(\/[^/\p{Cc}]+)*)?$/u,
    "Expected names joined by /, without one at either end",
  )
  .refine((text) => !text.split("/").some((part) => /^\.+$/.test(part)), NOT_DOTS);

const objectLock = z.strictObject({
  mode: z.enum(["GOVERNANCE", "COMPLIANCE"]).optional()
    .describe("Who may end the retention early: some, or nobody"),
  retain_for: duration.optional().describe(
    "How long an object cannot be deleted, from its writing on",
  ),
  legal_hold: z.boolean().optional()
    .describe("Whether an object cannot be deleted until its hold is taken off"),
}).refine(
  ({ mode, retain_for: time }) => (mode === undefined) === (time === undefined),
  "Expected mode and retain_for together",
);

/** What stands beside `bucket` alone; `region` and who asks may be of use to both. */
const ONLY_WITH_BUCKET = [
  "endpoint",
  "force_path_style",
  "expected_bucket_owner",
  "sse",
  "kms_key_id",
  "bucket_key",
  "acl",
  "storage_class",
  "tags",
  "object_lock",
  "sns_topic_arn",
  "sns_endpoint",
] as const;

/** What stands beside another option only. */
const NEEDS = [
  ["kms_key_id", "sse", "sse: aws:kms"],
  ["bucket_key", "kms_key_id", "kms_key_id"],
  ["sns_endpoint", "sns_topic_arn", "sns_topic_arn"],
] as const;

/** Checks and completes what the operator wrote. */
export const config = z.strictObject({
  name: name.default("main").describe("The trail's name, 3 to 128 characters"),
  directory: z.string().min(1).optional()
    .describe("Folder that the log files are written under; or write bucket"),
  bucket: z.string().min(3).max(255).optional()
    .describe("Bucket of S3, or of a store that speaks like it; or write directory"),
  prefix: prefix.default("").describe("What stands before AWSLogs/ in every path"),
  organization: z.boolean().default(false)
    .describe("Whether agent.organization_id becomes a folder above the accounts"),
  compression_level: z.int().min(1).max(9).default(6)
    .describe("gzip level: 1 is fastest, 9 smallest"),
  log_file_validation: logFileValidation,
  ...awsOptions,
  endpoint: awsEndpointOption.optional()
    .describe("Scheme, host and port of a store that is not AWS's own"),
  force_path_style: z.boolean().optional()
    .describe("The bucket in the path, not in the host's name; by default so with an endpoint"),
  expected_bucket_owner: z.string().regex(/^\d{12}$/, "Expected the twelve digits of an account")
    .optional().describe("Account that has to own the bucket, or nothing is written"),
  sse: z.enum(["AES256", "aws:kms", "aws:kms:dsse"]).optional()
    .describe("Encryption in the bucket; the bucket's own default without it"),
  kms_key_id: z.string().min(1).optional()
    .describe("KMS key that encrypts, as id, ARN or alias"),
  bucket_key: z.boolean().optional()
    .describe(
      "Whether a key of the bucket saves calls of KMS; the bucket's own default without it",
    ),
  acl: z.enum(["bucket-owner-full-control", "none"]).optional()
    .describe("Whom objects belong to; none by default with an endpoint"),
  storage_class: z.string().regex(/^[A-Z0-9_]+$/, "Expected a class such as STANDARD_IA").optional()
    .describe("Storage class of the objects; STANDARD without it"),
  tags: z.record(z.string().min(1).max(128), z.string().max(256)).optional()
    .describe("Tags of every object, at most 10"),
  object_lock: objectLock.optional().describe("Protection of every object from being deleted"),
  write_once: z.boolean().default(true)
    .describe("Whether the store is asked to refuse an object that is there (If-None-Match)"),
  checksum: z.enum(["sha256", "none"]).default("sha256")
    .describe("Checksum that the store keeps with each object"),
  part_size: size.prefault("8MiB")
    .describe("Objects longer than this, compressed, are uploaded in parts of it"),
  sns_topic_arn: z.string()
    .regex(/^arn:[^:]+:sns:[^:]+:\d{12}:[\w-]+(\.fifo)?$/, "Expected the ARN of an SNS topic")
    .optional().describe("Topic that is told of delivered files"),
  sns_endpoint: awsEndpointOption.optional()
    .describe("Scheme, host and port of an SNS that is not AWS's own"),
}).superRefine((options, ctx) => {
  const problem = (path: keyof typeof options, message: string) =>
    ctx.addIssue({ code: "custom", path: [path], message, input: options[path] });
  const { bucket, directory } = options;
  if ((bucket === undefined) === (directory === undefined)) {
    const there = bucket === undefined ? "neither" : "both";
    problem("directory", `Expected exactly one of directory, bucket; there is ${there}`);
    return;
  }
  if (bucket === undefined) {
    for (const name of ONLY_WITH_BUCKET) {
      if (isSet(options[name])) problem(name, "Stands only beside bucket");
    }
    if (!FOLDER_PREFIX.test(options.prefix)) {
      problem("prefix", "Expected names of letters, digits and !_.*'()- joined by / for a folder");
    }
  }
  for (const [name, other, what] of NEEDS) {
    if (options[name] !== undefined && options[other] === undefined) {
      problem(name, `Needs ${what} beside it`);
    }
  }
  if (options.kms_key_id !== undefined && options.sse === "AES256") {
    problem("kms_key_id", "Needs sse: aws:kms beside it");
  }
  if (Object.keys(options.tags ?? {}).length > 10) problem("tags", "Expected at most 10");
  if (options.part_size < PART_BYTES_MIN || options.part_size > 1024 ** 3) {
    problem("part_size", "Expected between 5MiB and 1GiB");
  }
  checkAwsOptions(options, ctx);
});

/** What the operator wrote, defaults filled in. */
export type TrailConfig = z.output<typeof config>;

/** A map of options without any says nothing. */
function isSet(value: unknown): boolean {
  return typeof value === "object" ? Object.keys(value ?? {}).length > 0 : value !== undefined;
}
