// The stores that objects are read from: one for each region, with the same credentials; and what
// an object of theirs is as a file.

import { failureOf, isAboutIdentity, isAboutTime, isPassing } from "../../sdk/aws/aws-error.ts";
import { S3, type S3Options } from "../../sdk/aws/s3.ts";
import { NO_RECORDS } from "./find.ts";
import type { Blame, OpenFile } from "./origin.ts";

// AWS has about forty; a queue's messages must not make more.
const REGIONS_MAX = 64;

const DIGEST = /(^|\/)CloudTrail-Digest\/.*_CloudTrail-Digest_.*\.json\.gz$/;

/** Stores by region. */
export class Stores {
  readonly #options: S3Options;
  readonly #stores = new Map<string, S3>();

  /** Under an endpoint there is one, whatever the region. */
  constructor(options: S3Options) {
    this.#options = options;
  }

  /** The store of a region; of the configuration's without one. */
  of(region?: string): S3 {
    const { connection, endpoint } = this.#options;
    const own = endpoint === undefined ? region ?? connection.region : connection.region;
    const known = this.#stores.get(own);
    if (known !== undefined) return known;
    if (this.#stores.size >= REGIONS_MAX) throw new RangeError(`More than ${REGIONS_MAX} regions`);
    const store = new S3({ ...this.#options, connection: { ...connection, region: own } });
    this.#stores.set(own, store);
    return store;
  }

  /** Closes connections. Safe to call twice. */
  async close(): Promise<void> {
    await Promise.all([...this.#stores.values()].map((store) => store.close()));
  }
}

/** An object's identity. */
export function s3Path(bucket: string, key: string): string {
  return `s3://${bucket}/${key}`;
}

/** What the name of an object says it is. */
export function kindOf(key: string): "log" | "digest" | "other" {
  if (DIGEST.test(key)) return "digest";
  return /\.jsonl?(\.gz)?$/.test(key) && !NO_RECORDS.test(`/${key}`) ? "log" : "other";
}

/** Begins to read an object. */
export function openObject(
  store: S3,
  bucket: string,
  key: string,
  signal: AbortSignal,
): OpenFile {
  const object = store.get(bucket, key, signal);
  // Whoever reads it is told; until then it must not count as unhandled.
  object.catch(() => {});
  return {
    blocks: (async function* () {
      yield* (await object).body;
    })(),
    discard: () => void object.then((open) => open.discard(), () => {}),
  };
}

/** Whose fault an error of a store is. `isShared`: all objects are in one bucket. */
export function blameStore(error: unknown, isShared: boolean): Blame {
  const failure = failureOf(error);
  if (failure === undefined) return "origin";
  const { code, status } = failure;
  if (code === "NoSuchKey" || code === "NoSuchVersion") return "gone";
  if (isPassing(failure) || isAboutIdentity(failure) || isAboutTime(failure)) return "origin";
  // Of an object that is listed, only "forbidden" can be about the object alone.
  return isShared && status !== 403 ? "origin" : "file";
}
