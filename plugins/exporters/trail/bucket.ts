// The bucket of a trail as the configuration describes it: the store that writes to it, the topic
// that is told, and a look at it for `cairn validate --deep`. Loaded where a trail has a bucket.

import { Buffer } from "node:buffer";
import { failureOf, isAboutIdentity } from "../../sdk/aws/aws-error.ts";
import { awsConnection, type ConnectionContext } from "../../sdk/aws/option.ts";
import { encode } from "../../sdk/aws/request.ts";
import { S3 } from "../../sdk/aws/s3.ts";
import { Sns } from "../../sdk/aws/sns.ts";
import type { CheckContext, ComponentContext, Finding } from "../../sdk/index.ts";
import type { TrailConfig } from "./config.ts";
import { S3Store } from "./s3-store.ts";

/** Opens nothing yet. `arn` is the trail's own. */
export function bucketStore(
  bucket: string,
  arn: string,
  options: TrailConfig,
  context: Pick<ComponentContext, "agent" | "clock" | "state" | "log">,
): S3Store {
  const { clock, state, log } = context;
  const fixed = objectHeaders(options, arn);
  const { mode, retain_for: retainMs } = options.object_lock ?? {};
  return new S3Store(bucketClient(options, context), {
    bucket,
    headers: () =>
      mode === undefined || retainMs === undefined ? fixed : {
        ...fixed,
        "x-amz-object-lock-mode": mode,
        "x-amz-object-lock-retain-until-date": new Date(clock() + retainMs).toISOString(),
      },
    checksum: options.checksum === "sha256",
    writeOnce: options.write_once,
    partBytes: options.part_size,
    state,
    log,
    clock,
  });
}

/** The topic that is told of delivered files. */
export function snsTopic(topicArn: string, options: TrailConfig, context: ConnectionContext): Sns {
  return new Sns(topicArn, awsConnection(options, context), options.sns_endpoint);
}

// From here on signatures may be refused, as S3 takes five minutes of difference at most.
const CLOCK_WARNING_MS = 60_000;

/** Looks at a bucket without writing to it. */
export async function checkBucket(
  bucket: string,
  options: TrailConfig,
  context: CheckContext,
): Promise<readonly Finding[]> {
  const s3 = bucketClient(options, context);
  try {
    const prefix = options.prefix === "" ? "AWSLogs/" : `${options.prefix}/AWSLogs/`;
    const pages = s3.list({ bucket, prefix, keysMax: 1 }, context.signal);
    await pages.next();
    const message = `Bucket "${bucket}" can be reached and listed`;
    return [{ level: "ok", path: "bucket", message }, ...clockFindings(s3)];
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const failure = failureOf(error);
    if (failure?.status === 403 && !isAboutIdentity(failure)) {
      const fix = "allow s3:ListBucket to have it checked; writing needs s3:PutObject alone";
      const said = `Bucket "${bucket}" answers, but may not be listed: ${message}`;
      return [{ level: "warning", path: "bucket", message: said, fix }, ...clockFindings(s3)];
    }
    const fix = "check region, endpoint, credentials, and the bucket's policy";
    return [{ level: "problem", path: "bucket", message, fix }, ...clockFindings(s3)];
  } finally {
    await s3.close();
  }
}

/** Looks whether the topic that is told is there; none where no topic is named. */
export async function checkTopic(
  options: TrailConfig,
  context: CheckContext,
): Promise<readonly Finding[]> {
  const { sns_topic_arn: topicArn } = options;
  if (topicArn === undefined) return [];
  const path = "sns_topic_arn";
  const topic = snsTopic(topicArn, options, context);
  try {
    await topic.look(context.signal);
    return [{ level: "ok", path, message: `Topic "${topicArn}" is there` }];
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const failure = failureOf(error);
    if (failure?.status === 403 && !isAboutIdentity(failure)) {
      const fix =
        "allow sns:GetTopicAttributes to have it checked; telling needs sns:Publish alone";
      return [{ level: "warning", path, message, fix }];
    }
    const fix = "check the ARN, sns_endpoint, credentials, and the topic's policy";
    return [{ level: "problem", path, message, fix }];
  } finally {
    await topic.close();
  }
}

function clockFindings(s3: S3): readonly Finding[] {
  const differenceMs = s3.clockDifferenceMs;
  if (differenceMs === undefined || Math.abs(differenceMs) < CLOCK_WARNING_MS) return [];
  const which = differenceMs > 0 ? "behind" : "ahead of";
  return [{
    level: "warning",
    path: "bucket",
    message: `This machine's clock is ${Math.round(Math.abs(differenceMs) / 1000)} s ${which} ` +
      "the store's; signatures are corrected, the times of records and keys are not",
    fix: "synchronize the clock",
  }];
}

function bucketClient(options: TrailConfig, context: ConnectionContext): S3 {
  return new S3({
    connection: awsConnection(options, context),
    endpoint: options.endpoint,
    forcePathStyle: options.force_path_style,
    expectedBucketOwner: options.expected_bucket_owner,
  });
}

/** What every object is to have, but for what depends on the time. */
function objectHeaders(options: TrailConfig, arn: string): Readonly<Record<string, string>> {
  const { endpoint, sse, kms_key_id: keyId, bucket_key: bucketKey, tags } = options;
  const { acl = endpoint === undefined ? "bucket-owner-full-control" : "none" } = options;
  const { storage_class: storageClass, object_lock: lock } = options;
  const headers: Record<string, string> = {};
  if (acl !== "none") headers["x-amz-acl"] = acl;
  if (storageClass !== undefined) headers["x-amz-storage-class"] = storageClass;
  if (tags !== undefined) {
    const pairs = Object.entries(tags).map(([name, value]) => `${encode(name)}=${encode(value)}`);
    headers["x-amz-tagging"] = pairs.join("&");
  }
  if (lock?.legal_hold === true) headers["x-amz-object-lock-legal-hold"] = "ON";
  if (sse !== undefined) headers["x-amz-server-side-encryption"] = sse;
  if (keyId !== undefined) headers["x-amz-server-side-encryption-aws-kms-key-id"] = keyId;
  if (sse !== undefined && sse !== "AES256") {
    // As CloudTrail gives it: policies of keys are written for this context.
    const context = JSON.stringify({ "aws:cloudtrail:arn": arn });
    headers["x-amz-server-side-encryption-context"] = Buffer.from(context).toString("base64");
  }
  if (bucketKey !== undefined) {
    headers["x-amz-server-side-encryption-bucket-key-enabled"] = String(bucketKey);
  }
  return headers;
}
