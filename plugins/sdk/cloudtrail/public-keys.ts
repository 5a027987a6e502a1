// The public keys that digests are verified with: out of files, or asked of CloudTrail.

import { Buffer } from "node:buffer";
import { readFile } from "node:fs/promises";
import { ConfigError } from "../errors.ts";
import { callJson } from "../aws/json-call.ts";
import { AwsClient, type AwsConnection } from "../aws/request.ts";
import { awsEndpoint } from "../aws/s3.ts";
import { isObject } from "../mapping-path.ts";
import { type Digest, type DigestKey, readDigestKey } from "./digest.ts";

const TARGET = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.ListPublicKeys";
const HOUR_MS = 3_600_000;
// A region has a new key every few weeks; an organization some dozens of regions.
const KEYS_MAX = 10_000;

/** The key that a digest names; undefined where there is none. */
export type FindKey = (
  digest: Digest,
  region: string,
  signal: AbortSignal,
) => Promise<DigestKey | undefined>;

/** Reads keys out of files. Throws a ConfigError that names the file that holds none. */
export async function keysOfFiles(paths: readonly string[]): Promise<FindKey> {
  const keys = new Map<string, DigestKey>();
  for (const [index, path] of paths.entries()) {
    try {
      const key = readDigestKey(await readFile(path));
      keys.set(key.fingerprint, key);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const problem = `Cannot read public key "${path}": ${reason}`;
      throw new ConfigError([{ path: `public_key_files[${index}]`, problem }], { cause: error });
    }
  }
  return ({ digestPublicKeyFingerprint }) => Promise.resolve(keys.get(digestPublicKeyFingerprint));
}

/** Asks CloudTrail, in the region of each digest, once for each key. */
export function keysOfCloudTrail(
  connection: AwsConnection,
  endpointOf: (region: string) => string = (region) => awsEndpoint("cloudtrail", region),
): FindKey {
  const keys = new Map<string, DigestKey>();
  return async ({ digestPublicKeyFingerprint, digestStartTime, digestEndTime }, region, signal) => {
    const name = `${region}:${digestPublicKeyFingerprint}`;
    if (keys.has(name)) return keys.get(name);
    if (keys.size >= KEYS_MAX) keys.clear();
    const client = new AwsClient("cloudtrail", { ...connection, region });
    try {
      const { PublicKeyList } = await callJson(client, {
        action: `Cannot list public keys of CloudTrail in "${region}"`,
        version: "1.1",
        target: TARGET,
        origin: endpointOf(region),
        // As `aws cloudtrail validate-logs` asks for them.
        input: {
          StartTime: seconds(digestStartTime, -HOUR_MS),
          EndTime: seconds(digestEndTime, 2 * HOUR_MS),
        },
        signal,
      });
      for (const listed of Array.isArray(PublicKeyList) ? PublicKeyList : []) {
        if (!isObject(listed) || typeof listed.Value !== "string") continue;
        const key = readDigestKey(Buffer.from(listed.Value, "base64"));
        keys.set(`${region}:${key.fingerprint}`, key);
      }
    } finally {
      await client.close();
    }
    return keys.get(name);
  };
}

function seconds(time: string, moreMs: number): number {
  return Math.floor((Date.parse(time) + moreMs) / 1000);
}
