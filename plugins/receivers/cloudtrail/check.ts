// Looks whether a folder can be read, a bucket listed, a queue found, for `cairn validate --deep`.

import { stat } from "node:fs/promises";
import { checkResolves } from "../../sdk/check-listen.ts";
import { checkReadable, checkReadableFolder } from "../../sdk/check-path.ts";
import type { CheckContext, Finding } from "../../sdk/index.ts";
import type { CloudTrailConfig } from "./config.ts";

/** Messages of a queue are left alone: whoever receives one hides it from the agent. */
export async function check(
  options: CloudTrailConfig,
  context: CheckContext,
): Promise<readonly Finding[]> {
  const { path, bucket, sqs_queue_url: queue, public_key_files: keys = [] } = options;
  const findings = await Promise.all([
    path === undefined ? [] : checkFiles(path),
    bucket === undefined ? [] : checkBucket(bucket, options, context),
    queue === undefined ? [] : checkResolves(new URL(queue).hostname, "sqs_queue_url"),
    ...keys.map((file) => checkReadable(file, "public_key_files")),
  ]);
  return findings.flat();
}

async function checkFiles(path: string): Promise<Finding[]> {
  const isFolder = await stat(path).then((found) => found.isDirectory(), () => false);
  return isFolder ? await checkReadableFolder(path, "path") : await checkReadable(path, "path");
}

async function checkBucket(
  bucket: string,
  options: CloudTrailConfig,
  context: CheckContext,
): Promise<Finding[]> {
  // Nothing of AWS is loaded for a folder.
  const { awsConnection } = await import("../../sdk/aws/option.ts");
  const { S3 } = await import("../../sdk/aws/s3.ts");
  const { endpoint, force_path_style: forcePathStyle, prefix = "" } = options;
  const connection = { ...awsConnection(options, context), retriesMax: 0 };
  const store = new S3({ connection, endpoint, forcePathStyle });
  try {
    for await (const { objects } of store.list({ bucket, prefix, keysMax: 1 }, context.signal)) {
      if (objects.length > 0) break;
    }
    const message = `Bucket "${bucket}" can be listed`;
    return [{ level: "ok", path: "bucket", message }];
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const fix = "check region, endpoint, credentials, and the bucket's policy";
    return [{ level: "problem", path: "bucket", message, fix }];
  } finally {
    await store.close();
  }
}
