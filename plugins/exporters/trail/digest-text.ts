// What the next digest of a chain says, and when it is due. Nothing here touches a disk or a clock.

import type { Digest } from "../../sdk/cloudtrail/digest.ts";
import { DIGEST_SIGNATURE_ALGORITHM } from "../../sdk/cloudtrail/digest.ts";
import { digestTime, formatDigestKey } from "../../sdk/cloudtrail/digest-key.ts";
import { type Chain, wholeSecond } from "./journal-line.ts";

/** Where a trail's digests go and whose they are. */
export interface DigestPlace {
  readonly bucket: string;
  readonly prefix: string;
  readonly organizationId?: string;
  readonly trail: string;
  readonly homeRegion: string;
}

/** The time that a digest is about, in milliseconds since the epoch, and the key that signs it. */
export interface DigestSpan {
  readonly start: number;
  readonly end: number;
  readonly fingerprint: string;
}

// A digest of so many is written before its hour is over: it has to fit into memory.
const FILES_EARLY = 20_000;
// A digest is made up for each hour that was missed, up to a week's; the first takes what is over.
const MADE_UP_MAX = 168;

/** When the digest ends that is due for a chain; undefined where none is. */
export function dueEnd(chain: Chain, now: number, intervalMs: number): number | undefined {
  // The first is about the time before: it says since when files are watched over.
  if (chain.head === undefined) return chain.end;
  const early = wholeSecond(now);
  if (chain.files.length >= FILES_EARLY && early > chain.end) return early;
  const missed = Math.floor((now - chain.end) / intervalMs);
  if (missed < 1) return undefined;
  return chain.end + intervalMs * Math.max(1, missed - MADE_UP_MAX + 1);
}

/** When the last digest before a stop ends; undefined where it would say nothing. */
export function lastEnd({ end, files }: Chain, now: number): number | undefined {
  if (now - end < 1000 && files.length === 0) return undefined;
  return Math.max(wholeSecond(now + 999), end + 1000);
}

/** How many of a chain's files, the first ones, belong to a digest that ends then. */
export function filesUntil({ files }: Chain, end: number): number {
  const next = files.findIndex(({ at }) => at >= end);
  return next < 0 ? files.length : next;
}

/** The digest of the first `count` files of a chain. */
export function nextDigest(
  chain: Chain,
  count: number,
  { start, end, fingerprint }: DigestSpan,
  place: DigestPlace,
): Digest {
  const { accountId, region, head } = chain;
  const { bucket } = place;
  const files = chain.files.slice(0, count);
  let newest = -Infinity;
  let oldest = Infinity;
  for (const file of files) {
    newest = Math.max(newest, file.newestEventTime);
    oldest = Math.min(oldest, file.oldestEventTime);
  }
  // In the order that CloudTrail documents.
  return {
    awsAccountId: accountId,
    digestStartTime: digestTime(start),
    digestEndTime: digestTime(end),
    digestS3Bucket: bucket,
    digestS3Object: formatDigestKey({ ...place, accountId, region, endTime: end }),
    digestPublicKeyFingerprint: fingerprint,
    digestSignatureAlgorithm: DIGEST_SIGNATURE_ALGORITHM,
    newestEventTime: count === 0 ? null : digestTime(newest),
    oldestEventTime: count === 0 ? null : digestTime(oldest),
    previousDigestS3Bucket: head?.bucket ?? null,
    previousDigestS3Object: head?.key ?? null,
    previousDigestHashValue: head?.hash ?? null,
    previousDigestHashAlgorithm: head === undefined ? null : "SHA-256",
    previousDigestSignature: head?.signature ?? null,
    logFiles: files.map((file) => ({
      s3Bucket: bucket,
      s3Object: file.key,
      hashValue: file.hash,
      hashAlgorithm: "SHA-256",
      newestEventTime: digestTime(file.newestEventTime),
      oldestEventTime: digestTime(file.oldestEventTime),
    })),
  };
}
