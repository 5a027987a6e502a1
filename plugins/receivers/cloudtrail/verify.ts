// Verifies a digest on the way in: its signature, the digest before it, and each log file that it
// lists, which is read once more for its hash.

import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { RejectedInput } from "../../sdk/index.ts";
import {
  type Digest,
  type DigestLogFile,
  digestProblem,
  parseDigest,
  SIGNATURE_METADATA,
} from "../../sdk/cloudtrail/digest.ts";
import type { FindKey } from "../../sdk/cloudtrail/public-keys.ts";
import { failureOf } from "../../sdk/aws/aws-error.ts";
import { readWithin } from "../../sdk/aws/request.ts";
import { gunzipBlocks, GunzipError } from "../../sdk/gunzip.ts";
import type { FoundFile } from "./origin.ts";
import type { Discrepancy } from "./run.ts";
import { s3Path, type Stores } from "./stores.ts";

// An hour's log files of the busiest trail take a few hundred bytes each.
const DIGEST_BYTES_MAX = 64 * 1024 * 1024;
// Five times what CloudTrail delivers, as for reading.
const LOG_FILE_BYTES_MAX = 256 * 1024 * 1024;

const PATH = /^s3:\/\/([^/]+)\/(.*)$/s;
const REGION = /(?:^|\/)CloudTrail-Digest\/([A-Za-z0-9-]+)\//;

/** Verifies digests of the objects in some stores. */
export class DigestVerifier {
  readonly #stores: Stores;
  readonly #findKey: FindKey;

  constructor(stores: Stores, findKey: FindKey) {
    this.#stores = stores;
    this.#findKey = findKey;
  }

  /**
   * What is wrong with a digest, and with all it vouches for. Throws the store's error where that
   * cannot be known yet.
   */
  async check({ path }: FoundFile, signal: AbortSignal): Promise<readonly Discrepancy[]> {
    const [, bucket = "", key = ""] = PATH.exec(path) ?? [];
    const object = await this.#stores.of().get(bucket, key, signal);
    const signature = object.metadata[SIGNATURE_METADATA];
    let text: Uint8Array;
    let digest: Digest;
    try {
      text = await readWithin(gunzipBlocks(object.body), DIGEST_BYTES_MAX);
      digest = parseDigest(text);
    } catch (error) {
      const isBroken = error instanceof GunzipError || error instanceof RejectedInput ||
        error instanceof RangeError;
      if (!isBroken) throw error;
      return [discrepancy(path, "", `is broken: ${error.message}`, path)];
    }
    const region = REGION.exec(key)?.[1] ?? "";
    const publicKey = await this.#findKey(digest, region, signal);
    const problem = publicKey === undefined
      ? `is signed with an unknown key, ${digest.digestPublicKeyFingerprint}`
      : digestProblem({ bucket, key, digest, text, signature }, publicKey);
    // What nobody vouches for says nothing about log files.
    if (problem !== undefined) return [discrepancy(path, text, problem, path)];
    const discrepancies: Discrepancy[] = [];
    const before = await this.#checkPrevious(digest, path, signal);
    if (before !== undefined) discrepancies.push(before);
    for (const logFile of digest.logFiles) {
      const wrong = await this.#checkLogFile(logFile, path, signal);
      if (wrong !== undefined) discrepancies.push(wrong);
    }
    return discrepancies;
  }

  async #checkPrevious(
    digest: Digest,
    path: string,
    signal: AbortSignal,
  ): Promise<Discrepancy | undefined> {
    const { previousDigestS3Bucket: bucket, previousDigestS3Object: key } = digest;
    if (bucket === null || key === null) return undefined;
    const hash = await this.#hashOf(bucket, key, signal);
    if (hash === digest.previousDigestHashValue) return undefined;
    const entry = JSON.stringify({ bucket, key, hash: digest.previousDigestHashValue });
    return discrepancy(s3Path(bucket, key), entry, wrongHash(hash), path);
  }

  async #checkLogFile(
    logFile: DigestLogFile,
    path: string,
    signal: AbortSignal,
  ): Promise<Discrepancy | undefined> {
    const { s3Bucket, s3Object, hashValue } = logFile;
    const hash = await this.#hashOf(s3Bucket, s3Object, signal);
    if (hash === hashValue) return undefined;
    return discrepancy(s3Path(s3Bucket, s3Object), JSON.stringify(logFile), wrongHash(hash), path);
  }

  /** The hash of an object's text; a word for the reason where it has none. */
  async #hashOf(bucket: string, key: string, signal: AbortSignal): Promise<string> {
    const hash = createHash("sha256");
    let bytes = 0;
    try {
      const { body } = await this.#stores.of().get(bucket, key, signal);
      for await (const block of gunzipBlocks(body)) {
        bytes += block.length;
        if (bytes > LOG_FILE_BYTES_MAX) return "too long";
        hash.update(block);
      }
    } catch (error) {
      if (failureOf(error)?.code === "NoSuchKey") return MISSING;
      if (error instanceof GunzipError) return "no gzip";
      throw error;
    }
    return hash.digest("hex");
  }
}

const MISSING = "missing";

function wrongHash(hash: string): string {
  return hash === MISSING ? "is missing" : "differs from what was delivered";
}

function discrepancy(
  of: string,
  raw: Uint8Array | string,
  problem: string,
  digest: string,
): Discrepancy {
  const said = of === digest ? "" : `, says digest "${digest}"`;
  return {
    raw: typeof raw === "string" ? Buffer.from(raw) : raw.subarray(0, 256 * 1024),
    reason: `Cannot verify "${of}": it ${problem}${said}`,
    id: `verify:${digest}:${of}`,
  };
}
