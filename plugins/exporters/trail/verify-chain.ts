// Walks the digests of a place from the oldest on, each chain by itself: whether each digest is
// where it was put and signed, whether it follows the one before to the second, with the hash and
// the signature that one had, and whether the log files it lists are what was delivered.

import { parseDigest } from "../../sdk/cloudtrail/digest.ts";
import { type Digest, digestHash, digestProblem } from "../../sdk/cloudtrail/digest.ts";
import { SIGNATURE_METADATA } from "../../sdk/cloudtrail/digest.ts";
import { type DigestFileKey, parseDigestKey } from "../../sdk/cloudtrail/digest-key.ts";
import type { FindKey } from "../../sdk/cloudtrail/public-keys.ts";
import { RejectedInput, type VerifyProblem } from "../../sdk/index.ts";
import { checkPlausible, hashText, readText } from "./verify-file.ts";
import type { VerifyPlace } from "./verify-place.ts";

/** The digest of a chain that was looked at last. */
export interface SeenDigest {
  readonly key: string;
  readonly place: DigestFileKey;
  /** Of its text; undefined where that cannot be read. */
  readonly hash: string | undefined;
  readonly signature: string | undefined;
  readonly endTime: number;
  /** How long its time was; 0 where that cannot be read. */
  readonly spanMs: number;
}

/** A log file as a digest or an agent lists it. */
export interface ListedFile {
  readonly key: string;
  readonly hash: string;
}

/** How a walk goes. */
export interface ChainWalkOptions {
  readonly place: VerifyPlace;
  readonly findKey: FindKey;
  readonly signal: AbortSignal;
  onProblem(problem: VerifyProblem): void;
  onNote(note: string): void;
  /** Told every log file that a digest lists. */
  onListed(key: string): void;
  /** Told a log file that is not where a digest says. */
  onMissing(file: ListedFile): void;
}

interface Counted {
  checked: number;
  invalid: number;
}

// Of a digest that AWS made up later.
const GENERATED_METADATA = "backfill-generation-timestamp";
// Of one digest at a time: a bucket answers many at once.
const READS_MAX = 16;

/** See above. */
export class ChainWalk {
  readonly #options: ChainWalkOptions;
  readonly #seen = new Map<string, SeenDigest>();
  /** By owner and region, when the first chain there began. */
  readonly #begun = new Map<string, number>();
  readonly digests: Counted = { checked: 0, invalid: 0 };
  readonly logFiles: Counted = { checked: 0, invalid: 0 };

  constructor(options: ChainWalkOptions) {
    this.#options = options;
  }

  /** The last digest of each chain. */
  get seen(): readonly SeenDigest[] {
    return [...this.#seen.values()];
  }

  /** From when on digests that were seen list the files of an owner's region; undefined for none. */
  begunAt(key: Pick<DigestFileKey, "organizationId" | "accountId" | "region">): number | undefined {
    return this.#begun.get(ownerOf(key));
  }

  /** Looks at a chain's next digest. Throws where the place cannot be read. */
  async next(key: string): Promise<void> {
    const at = parseDigestKey(key);
    if (at === undefined) return;
    const { place, signal } = this.#options;
    this.digests.checked++;
    const before = { ...this.digests };
    const read = await readText(place, key, signal);
    let seen: SeenDigest = {
      key,
      place: at,
      hash: undefined,
      signature: undefined,
      endTime: at.endTime,
      spanMs: 0,
    };
    if (read === undefined) return this.#wrong("missing", key, "is not found");
    const chain = chainOf(at);
    if ("problem" in read) this.#wrong("changed", key, read.problem);
    else {
      const signature = read.metadata[SIGNATURE_METADATA];
      const digest = this.#parse(key, read.text);
      if (digest !== undefined) {
        const hash = digestHash(read.text);
        const endTime = Date.parse(digest.digestEndTime);
        const spanMs = endTime - Date.parse(digest.digestStartTime);
        seen = { ...seen, hash, signature, endTime, spanMs };
        const isHere = await this.#checkDigest(key, digest, read.text, read.metadata);
        // What was put elsewhere says nothing about what belongs here.
        if (!isHere) return;
        this.#begin(at, digest);
        await this.#checkPrevious(key, digest, this.#seen.get(chain));
        await this.#checkFiles(key, digest);
      }
    }
    this.#seen.set(chain, seen);
    // Several things may be wrong with one digest.
    this.digests.invalid = Math.min(this.digests.invalid, before.invalid + 1);
  }

  /** Looks at a log file that `by` lists. */
  async checkFile({ key, hash }: ListedFile, by: string): Promise<void> {
    const { place, signal, onListed, onMissing, onProblem } = this.#options;
    onListed(key);
    this.logFiles.checked++;
    const found = await hashText(place, key, signal);
    if (found !== undefined && "text" in found && found.text === hash) return;
    this.logFiles.invalid++;
    const path = place.pathOf(key);
    if (found === undefined) {
      onMissing({ key, hash });
      onProblem({ kind: "missing", path, problem: `is not found; ${by} lists it` });
    } else {
      const problem = "problem" in found
        ? found.problem
        : `has another hash than it was delivered with, says ${by}`;
      onProblem({ kind: "changed", path, problem });
    }
  }

  #begin(at: DigestFileKey, digest: Digest): void {
    const owner = ownerOf(at);
    if (this.#begun.has(owner)) return;
    // The first of a chain is about the time before it began.
    const isFirst = digest.previousDigestS3Object === null;
    this.#begun.set(owner, Date.parse(isFirst ? digest.digestEndTime : digest.digestStartTime));
  }

  #wrong(kind: VerifyProblem["kind"], key: string, problem: string): void {
    this.digests.invalid++;
    this.#options.onProblem({ kind, path: this.#options.place.pathOf(key), problem });
  }

  #parse(key: string, text: Uint8Array): Digest | undefined {
    try {
      checkPlausible(text);
      return parseDigest(text);
    } catch (error) {
      if (!(error instanceof RejectedInput)) throw error;
      this.#wrong("changed", key, `is broken: ${error.message}`);
      return undefined;
    }
  }

  /** Resolves with false for a digest that was put elsewhere. */
  async #checkDigest(
    key: string,
    digest: Digest,
    text: Uint8Array,
    metadata: Readonly<Record<string, string>>,
  ): Promise<boolean> {
    const { place, findKey, signal } = this.#options;
    const { digestS3Bucket, digestS3Object, digestPublicKeyFingerprint: fingerprint } = digest;
    if (digestS3Bucket !== place.bucket || digestS3Object !== key) {
      const from = `s3://${digestS3Bucket}/${digestS3Object}`;
      this.#wrong("moved", key, `has been moved from its original location, "${from}"`);
      return false;
    }
    const region = parseDigestKey(key)!.region;
    // What is made up later is signed by the key of that later time.
    const { [SIGNATURE_METADATA]: signature, [GENERATED_METADATA]: time } = metadata;
    const signed = time && { ...digest, digestStartTime: time, digestEndTime: time } || digest;
    const publicKey = await findKey(signed, region, signal);
    if (publicKey === undefined) {
      this.#wrong("unproven", key, `is signed with a key that is not known, ${fingerprint}`);
      return true;
    }
    const found = { bucket: place.bucket, key, digest, text, signature };
    const problem = digestProblem(found, publicKey);
    if (problem !== undefined) this.#wrong("changed", key, problem);
    return true;
  }

  async #checkPrevious(key: string, digest: Digest, last: SeenDigest | undefined): Promise<void> {
    const { place, onNote } = this.#options;
    const { previousDigestS3Bucket: bucket, previousDigestS3Object: previous } = digest;
    if (bucket === null || previous === null) {
      if (last !== undefined) {
        const from = digest.digestStartTime;
        onNote(
          `A chain begins anew with "${place.pathOf(key)}": nothing before ${from} is tied to it`,
        );
      }
      return;
    }
    if (bucket !== place.bucket) {
      onNote(`The digests before "${place.pathOf(key)}" are in bucket "${bucket}"`);
      return;
    }
    if (last?.key === previous) return this.#compare(key, digest, last);
    const before = await this.#look(previous);
    if (before !== undefined) {
      // It is older than all that were looked at, or another than the one that is listed before.
      this.#compare(key, digest, before);
      if (last !== undefined) this.#wrong("out of order", last.key, notBefore(key, previous));
      return;
    }
    const from = last === undefined ? "" : `, as are all from ${timeOf(last.endTime)} on`;
    this.#wrong("missing", previous, `is not found${from}; digest "${key}" follows it`);
  }

  /** Whether a digest is tied to the one before. */
  #compare(key: string, digest: Digest, before: SeenDigest): void {
    const { hash, signature, endTime } = before;
    if (hash === undefined) return;
    if (hash !== digest.previousDigestHashValue) {
      this.#wrong("changed", before.key, `has another hash than digest "${key}" says`);
    } else if (signature !== undefined && signature !== digest.previousDigestSignature) {
      this.#wrong("changed", before.key, `has another signature than digest "${key}" says`);
    }
    if (endTime !== Date.parse(digest.digestStartTime)) {
      const problem = `begins at ${digest.digestStartTime}, the one before ends at ${
        timeOf(endTime)
      }`;
      this.#wrong("out of order", key, problem);
    }
  }

  async #look(key: string): Promise<SeenDigest | undefined> {
    const place = parseDigestKey(key);
    const read = await readText(this.#options.place, key, this.#options.signal);
    if (read === undefined || place === undefined) return undefined;
    const seen = { key, place, endTime: place.endTime, spanMs: 0 };
    if ("problem" in read) return { ...seen, hash: undefined, signature: undefined };
    const signature = read.metadata[SIGNATURE_METADATA];
    return { ...seen, hash: digestHash(read.text), signature };
  }

  async #checkFiles(key: string, { logFiles }: Digest): Promise<void> {
    const { place, onNote, onProblem } = this.#options;
    let next = 0;
    const work = async () => {
      for (let file = logFiles[next++]; file !== undefined; file = logFiles[next++]) {
        const { s3Bucket, s3Object, hashAlgorithm, hashValue } = file;
        if (s3Bucket !== place.bucket) {
          onNote(`Log file "s3://${s3Bucket}/${s3Object}" lies elsewhere`);
        } else if (hashAlgorithm !== "SHA-256") {
          const problem = `is listed with an unknown hash, "${hashAlgorithm}"`;
          onProblem({ kind: "unproven", path: place.pathOf(s3Object), problem });
        } else await this.checkFile({ key: s3Object, hash: hashValue }, `digest "${key}"`);
      }
    };
    await Promise.all(Array.from({ length: Math.min(READS_MAX, logFiles.length) }, work));
  }
}

function ownerOf({ organizationId, accountId, region }: {
  readonly organizationId?: string;
  readonly accountId: string;
  readonly region: string;
}): string {
  return `${organizationId ?? ""}/${accountId}/${region}`;
}

/** What the digests of a chain have in common. */
export function chainOf(key: DigestFileKey): string {
  const { prefix, trail, homeRegion, isBackfill } = key;
  return JSON.stringify([prefix, ownerOf(key), trail, homeRegion, isBackfill === true]);
}

function notBefore(key: string, previous: string): string {
  return `is not part of the chain: digest "${key}" follows "${previous}"`;
}

/** A time for people, to the second. */
export function timeOf(ms: number): string {
  // Out of a digest that says no time.
  if (!(Math.abs(ms) <= 8.64e15)) return "an unknown time";
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
