// Exporter `trail`: delivers records as CloudTrail log files to a folder or a bucket, laid out and
// named as CloudTrail does.

import { checkWritableFolder } from "../../sdk/check-path.ts";
import { type CheckContext, defineExporter, type Finding } from "../../sdk/index.ts";
import type { VerifyOptions, VerifyReport } from "../../sdk/verify.ts";
import { config, type TrailConfig } from "./config.ts";
import { TrailExporter } from "./trail.ts";

// One batch is held while it is compressed and the next one is read ahead: 4 MiB keep the agent
// small. A minute is as fresh as files need to be and leaves few small ones on a quiet host.
const FOLDER_BATCH = { maxRecords: 10_000, maxBytes: 4 * 1024 * 1024, maxAgeMs: 60_000 };

// CloudTrail's own five minutes: an object costs by the request. 8 MiB are more than a megabyte
// compressed, as long as most of CloudTrail's own files are; two such batches are in memory.
const BUCKET_BATCH = { maxRecords: 25_000, maxBytes: 8 * 1024 * 1024, maxAgeMs: 300_000 };

// Functions of their own: tsc leaves the name of a module that is loaded within `export default`.
async function check(options: TrailConfig, context: CheckContext): Promise<readonly Finding[]> {
  const { directory, bucket } = options;
  const { checkDigestKey } = await import("./check-key.ts");
  const key = await checkDigestKey(options, context);
  if (bucket === undefined) return [...await checkWritableFolder(directory!, "directory"), ...key];
  // Nothing of AWS is loaded for a folder.
  const { checkBucket, checkTopic } = await import("./bucket.ts");
  const found = await checkBucket(bucket, options, context);
  return [...found, ...await checkTopic(options, context), ...key];
}

async function verify(place: string, options: VerifyOptions): Promise<VerifyReport | undefined> {
  const { verifyTrail } = await import("./verify.ts");
  return await verifyTrail(place, options);
}

export default defineExporter({
  type: "trail",
  stability: "beta",
  summary:
    "CloudTrail log files in a folder or a bucket of S3, laid out and named as CloudTrail does",
  config,
  batch: FOLDER_BATCH,
  batchOf: ({ bucket }) => bucket === undefined ? FOLDER_BATCH : BUCKET_BATCH,
  check,
  verify,
  create: (options, context) => new TrailExporter(options, context),
});
