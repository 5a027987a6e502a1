// `cairn verify` of a trail: every digest of a folder or bucket, every log file that one lists, and
// those that none does; compared with what the agents' data_dir says, where that is given.

import type { FindKey } from "../../sdk/cloudtrail/public-keys.ts";
import { keysOfCloudTrail, keysOfFiles } from "../../sdk/cloudtrail/public-keys.ts";
import { readDigestKey } from "../../sdk/cloudtrail/digest.ts";
import { parseDigestKey } from "../../sdk/cloudtrail/digest-key.ts";
import { type LogFileKey, parseLogFileKey } from "../../sdk/cloudtrail/log-file.ts";
import type { VerifyOptions, VerifyReport } from "../../sdk/index.ts";
import { type AgentRecord, readAgentRecord } from "./agent-record.ts";
import type { Chain } from "./journal-line.ts";
import { KnownKeys } from "./known-keys.ts";
import { chainOf, ChainWalk, type ListedFile, timeOf } from "./verify-chain.ts";
import { hashText } from "./verify-file.ts";
import { bucketPlace, folderPlace, type ListedKey, type VerifyPlace } from "./verify-place.ts";

const HOUR_MS = 3_600_000;
// A file is stored a moment before its agent notes it.
const IN_FLIGHT_MS = 5 * 60_000;
// Notes and moved files are told up to so many.
const NOTES_MAX = 100;
const MISSING_MAX = 10_000;

/** Verifies a trail's place; see ExporterFactory.verify. */
export async function verifyTrail(
  place: string,
  options: VerifyOptions,
): Promise<VerifyReport | undefined> {
  const record = await recordOf(options);
  const opened = await openPlace(place, options);
  try {
    const findKey = await keyFinder(record, options);
    return await new TrailVerification(opened, findKey, record, options).run();
  } finally {
    await opened.close();
  }
}

async function recordOf(options: VerifyOptions): Promise<AgentRecord | undefined> {
  const { dataDir, ownDataDir } = options;
  if (dataDir !== undefined) return await readAgentRecord(dataDir);
  // Whoever verifies somewhere else may have none, or not be allowed to read it.
  return ownDataDir && await readAgentRecord(ownDataDir).catch(() => undefined) || undefined;
}

class TrailVerification {
  readonly #place: VerifyPlace;
  readonly #options: VerifyOptions;
  readonly #chains: readonly Chain[];
  readonly #walk: ChainWalk;
  readonly #hasRecord: boolean;
  /** Chains that the record is about. */
  readonly #recorded: ReadonlySet<string>;
  readonly #listed = new KnownKeys();
  readonly #found = new KnownKeys();
  readonly #notes = new Set<string>();
  /** Log files that are not where they belong, by the hash of their text. */
  readonly #missing = new Map<string, string>();
  #unlisted = 0;

  constructor(
    place: VerifyPlace,
    findKey: FindKey,
    record: AgentRecord | undefined,
    options: VerifyOptions,
  ) {
    this.#place = place;
    this.#options = options;
    this.#chains = (record?.chains ?? []).filter(({ head, plan }) => {
      const last = head ?? plan?.head;
      return last?.bucket === place.bucket && last.key.startsWith(place.prefix);
    });
    this.#hasRecord = this.#chains.length > 0;
    const heads = this.#chains.map(({ head, plan }) => parseDigestKey((head ?? plan?.head)!.key));
    this.#recorded = new Set(heads.flatMap((at) => at === undefined ? [] : [chainOf(at)]));
    this.#walk = new ChainWalk({
      place,
      findKey,
      signal: options.signal,
      onProblem: (problem) => options.onProblem(problem),
      onNote: (note) => this.#note(note),
      onListed: (key) => this.#listed.add(key),
      onMissing: (file) => this.#noteMissing(file),
    });
  }

  async run(): Promise<VerifyReport | undefined> {
    const { signal } = this.#options;
    for await (const { key } of this.#place.list(signal)) {
      signal.throwIfAborted();
      if (this.#isDigest(key)) await this.#walk.next(key);
      else if (this.#logFile(key) !== undefined) this.#found.add(key);
    }
    const isTrail = this.#walk.digests.checked + this.#found.size + this.#chains.length > 0;
    if (!isTrail) return undefined;
    await this.#checkRecord();
    await this.#findUnlisted();
    this.#noteLimits();
    return {
      counts: {
        "digest files": this.#walk.digests,
        "log files": this.#walk.logFiles,
        "unlisted log files": { checked: this.#unlisted, invalid: this.#unlisted },
      },
      notes: [...this.#notes],
    };
  }

  #isDigest(key: string): boolean {
    const { from = -Infinity, to = Infinity } = this.#options;
    const endTime = parseDigestKey(key)?.endTime;
    // As the AWS CLI chooses them: a file is listed up to an hour after it was delivered.
    return endTime !== undefined && endTime >= from && endTime <= to + HOUR_MS;
  }

  /** A log file that is to be looked at. */
  #logFile(key: string): LogFileKey | undefined {
    const { from = -Infinity, to = Infinity } = this.#options;
    const parsed = parseLogFileKey(key);
    if (parsed === undefined) return undefined;
    return parsed.deliveredAt >= from && parsed.deliveredAt <= to ? parsed : undefined;
  }

  /** What the agent remembers: the last digest of each chain, and files that wait for the next. */
  async #checkRecord(): Promise<void> {
    const { to = Infinity, onProblem } = this.#options;
    const seen = new Map(this.#walk.seen.map((digest) => [chainOf(digest.place), digest]));
    for (const { head, plan, files } of this.#chains) {
      const at = head === undefined ? undefined : parseDigestKey(head.key);
      if (head !== undefined && at !== undefined && head.end <= to) {
        const last = seen.get(chainOf(at));
        const path = this.#place.pathOf(head.key);
        if (last === undefined || last.endTime < head.end) {
          const from = last === undefined ? "" : `, nor are those from ${timeOf(last.endTime)} on`;
          const problem = `is not found${from}; the agent wrote it last`;
          onProblem({ kind: "missing", path, problem });
          this.#walk.digests.invalid++;
        } else if (last.key === head.key && last.hash !== undefined && last.hash !== head.hash) {
          const problem = "is not the one that the agent wrote";
          onProblem({ kind: "changed", path, problem });
        } else if (last.key !== head.key && last.key !== plan?.head.key) {
          const problem = "is newer than any that the agent wrote";
          onProblem({ kind: "unproven", path: this.#place.pathOf(last.key), problem });
        }
      }
      for (const { key, hash } of files) {
        const isWanted = this.#logFile(key) !== undefined && key.startsWith(this.#place.prefix);
        if (isWanted) await this.#walk.checkFile({ key, hash }, "the agent's own record");
      }
    }
  }

  /** Log files that nobody lists; names are looked for only where there is one. */
  async #findUnlisted(): Promise<void> {
    const { signal, onProblem } = this.#options;
    for await (const object of this.#place.list(signal)) {
      const { key } = object;
      const at = this.#logFile(key);
      const isObject = at !== undefined || /\.json(\.gz)?$/.test(key) && !this.#isDigest(key);
      if (!isObject || this.#listed.has(key)) continue;
      const path = this.#place.pathOf(key);
      const from = await this.#movedFrom(key);
      if (from !== undefined) {
        const problem = `has been moved from its original location, "${this.#place.pathOf(from)}"`;
        onProblem({ kind: "moved", path, problem });
      } else if (at !== undefined && this.#isOfDigests(at, object)) {
        this.#unlisted++;
        const { to } = this.#options;
        const until = to === undefined ? "" : ` that ends until ${timeOf(to + HOUR_MS)}`;
        onProblem({ kind: "unlisted", path, problem: `is listed by no digest${until}` });
      }
    }
  }

  async #movedFrom(key: string): Promise<string | undefined> {
    if (this.#missing.size === 0) return undefined;
    const read = await hashText(this.#place, key, this.#options.signal);
    return read !== undefined && "text" in read ? this.#missing.get(read.text) : undefined;
  }

  /** True where a digest should list the file: one is about the time it was delivered in. */
  #isOfDigests(at: LogFileKey, { modifiedAt }: ListedKey): boolean {
    const { accountId, region, deliveredAt } = at;
    const begun = this.#walk.begunAt(at);
    if (begun === undefined) {
      this.#note(`No digest is about log files of account ${accountId} in ${region}`);
      return false;
    }
    // Its key says the minute.
    if (deliveredAt + 60_000 <= begun) {
      this.#note("Some log files were delivered before the first digest: nothing is known of them");
      return false;
    }
    const now = this.#options.clock();
    const ofOwner = this.#walk.seen.filter(({ place }) =>
      place.accountId === accountId && place.region === region
    );
    const isAfter = (time: number) => deliveredAt >= time || modifiedAt >= time;
    // Of another trail, whose next digest is not due yet: a file does not say whose it is.
    const waits = ofOwner.some(({ place, endTime, spanMs }) =>
      !this.#recorded.has(chainOf(place)) && isAfter(endTime) &&
      now < endTime + Math.max(spanMs, HOUR_MS) + IN_FLIGHT_MS
    );
    const isNew = waits ||
      (this.#hasRecord
        ? modifiedAt > now - IN_FLIGHT_MS
        : isAfter(Math.max(...ofOwner.map(({ endTime }) => endTime))));
    if (isNew) this.#note("Some log files are newer than the last digest: the next one lists them");
    return !isNew;
  }

  #noteMissing({ key, hash }: ListedFile): void {
    if (this.#missing.size < MISSING_MAX) this.#missing.set(hash, key);
  }

  #noteLimits(): void {
    const { seen } = this.#walk;
    if (seen.length === 0) this.#note("There are no digests: nothing says what was delivered");
    else if (!this.#hasRecord) {
      const last = timeOf(Math.max(...seen.map(({ endTime }) => endTime)));
      this.#note(`The last digest ends at ${last}: whether later ones are gone, --data-dir tells`);
    }
  }

  #note(note: string): void {
    if (this.#notes.size < NOTES_MAX) this.#notes.add(note);
  }
}

async function openPlace(place: string, options: VerifyOptions): Promise<VerifyPlace> {
  const [, bucket, prefix = ""] = /^s3:\/\/([^/]+)\/?(.*)$/s.exec(place) ?? [];
  if (bucket === undefined) return folderPlace(place, options.bucket);
  const { S3 } = await import("../../sdk/aws/s3.ts");
  const { endpoint } = options;
  return bucketPlace(
    new S3({ connection: await connectionOf(options), endpoint }),
    bucket,
    prefix,
    options.bucket,
  );
}

async function connectionOf({ region, profile, clock, version }: VerifyOptions) {
  const { CredentialSource } = await import("../../sdk/aws/credentials.ts");
  const known = region ?? "us-east-1";
  const credentials = new CredentialSource({
    region: known,
    sessionName: "cairn-verify",
    version,
    clock,
    profile,
  });
  return { region: known, credentials, version, clock };
}

/** Asks the agents' own rings first, then files, then whoever answers ListPublicKeys. */
async function keyFinder(
  record: AgentRecord | undefined,
  options: VerifyOptions,
): Promise<FindKey> {
  const { publicKeyFiles, publicKeysFrom } = options;
  const own = new Map(
    (record?.publicKeys ?? []).map(({ fingerprint, value }) => [fingerprint, readDigestKey(value)]),
  );
  const ofFiles = await keysOfFiles(publicKeyFiles);
  const listed = publicKeysFrom === undefined ? undefined : keysOfCloudTrail(
    await connectionOf(options),
    ...(publicKeysFrom === "aws" ? [] : [() => publicKeysFrom]),
  );
  return async (digest, region, signal) =>
    own.get(digest.digestPublicKeyFingerprint) ?? await ofFiles(digest, region, signal) ??
      await listed?.(digest, region, signal);
}
