// Makes the origin of a configuration that reads from AWS, or from a store that speaks like it.

import type { ComponentContext, Position } from "../../sdk/index.ts";
import { awsConnection } from "../../sdk/aws/option.ts";
import { Sqs } from "../../sdk/aws/sqs.ts";
import { BucketOrigin } from "./bucket.ts";
import type { CloudTrailConfig } from "./config.ts";
import type { Origin } from "./origin.ts";
import { keysOfCloudTrail, keysOfFiles } from "../../sdk/cloudtrail/public-keys.ts";
import { QueueOrigin } from "./queue.ts";
import type { CheckDigest } from "./run.ts";
import { Stores } from "./stores.ts";
import { DigestVerifier } from "./verify.ts";

/** An origin, and what verifies its digests where that is asked for. */
export interface RemoteOrigin {
  readonly origin: Origin;
  readonly checkDigest?: CheckDigest;
}

/** Makes it. Throws a ConfigError for files of keys that cannot be read; connects to nobody. */
export async function remoteOrigin(
  options: CloudTrailConfig,
  context: ComponentContext,
  position: Position | undefined,
): Promise<RemoteOrigin> {
  const queueRegion = regionOfQueue(options.sqs_queue_url);
  const region = options.region ?? queueRegion ?? context.agent.region;
  const connection = awsConnection({ ...options, region }, context);
  const { endpoint, force_path_style: forcePathStyle } = options;
  const stores = new Stores({ connection, endpoint, forcePathStyle });
  const origin = options.sqs_queue_url === undefined
    ? bucketOrigin(options, stores, context, position)
    : new QueueOrigin({
      url: options.sqs_queue_url,
      queue: new Sqs(options.sqs_queue_url, { ...connection, region: queueRegion ?? region }),
      stores,
      visibilityMs: options.visibility_timeout,
      withDigests: options.verify_digests,
      log: context.log,
      ignored: (reason, count) => context.ignored(reason, count),
    }, position);
  if (!options.verify_digests) return { origin };
  const { public_key_files: files } = options;
  const findKey = files === undefined ? keysOfCloudTrail(connection) : await keysOfFiles(files);
  const verifier = new DigestVerifier(stores, findKey);
  return { origin, checkDigest: (file, signal) => verifier.check(file, signal) };
}

function bucketOrigin(
  options: CloudTrailConfig,
  stores: Stores,
  context: ComponentContext,
  position: Position | undefined,
): BucketOrigin {
  return new BucketOrigin({
    store: stores.of(),
    bucket: options.bucket ?? "",
    prefix: options.prefix ?? "",
    since: sinceOf(options.start_at, context),
    lateMs: options.late,
    pollMs: options.poll_interval,
    clock: context.clock,
    withDigests: options.verify_digests,
  }, position);
}

/** When reading begins; undefined for the beginning. */
function sinceOf(
  startAt: CloudTrailConfig["start_at"],
  { once, clock }: ComponentContext,
): number | undefined {
  if (startAt === undefined || startAt === "beginning" || (startAt === "end" && once)) {
    return undefined;
  }
  return startAt === "end" ? clock() : Date.parse(startAt);
}

function regionOfQueue(url: string | undefined): string | undefined {
  const [service, region, domain] = url === undefined ? [] : new URL(url).hostname.split(".");
  return service === "sqs" && domain === "amazonaws" ? region : undefined;
}
