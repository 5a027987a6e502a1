// Log file integrity: takes note of each delivered file, and signs once an hour, for each account
// and region, a digest of what was delivered, which names the digest before. A digest is decided,
// with its bytes, before it is stored, and stored with these bytes however often that takes (P5).

import { Buffer } from "node:buffer";
import {
  DIGEST_SIGNATURE_ALGORITHM,
  digestHash,
  digestSignedText,
  SIGNATURE_ALGORITHM_METADATA,
  SIGNATURE_METADATA,
} from "../../sdk/cloudtrail/digest.ts";
import { type AgentIdentity, type Log, RetryableError, type Runtime } from "../../sdk/index.ts";
import type { LatestDelivery, TrailPublicKey } from "../../sdk/trail-service.ts";
import { pause } from "../../sdk/wait.ts";
import { type AppendSynced, DigestJournal } from "./digest-journal.ts";
import { type DigestPlace, dueEnd, filesUntil, lastEnd, nextDigest } from "./digest-text.ts";
import type { Chain, PlannedDigest } from "./journal-line.ts";
import { KeyRing, type KeyRingOptions } from "./key-ring.ts";
import type { TrailStore } from "./store.ts";

/** A log file that is stored. */
export interface DeliveredFile {
  readonly key: string;
  /** digestHash() of its text, before compression. */
  readonly hash: string;
  /** eventTime of its records, in milliseconds since the epoch. */
  readonly oldestEventTime: number;
  readonly newestEventTime: number;
  /** Whose chain of digests it belongs to. */
  readonly accountId: string;
  readonly region: string;
}

/** How digests are written. */
export interface DigestChainOptions {
  readonly place: DigestPlace;
  /** Has a chain from the start, also before anything is delivered. */
  readonly agent: Pick<AgentIdentity, "accountId" | "region">;
  readonly intervalMs: number;
  readonly store: Pick<TrailStore, "put">;
  /** For journal and keys; made where it is missing. */
  readonly directory: string;
  readonly keys: Omit<KeyRingOptions, "directory" | "log">;
  readonly gzip: Runtime["gzip"];
  readonly clock: () => number;
  readonly log: Log;
  /** Told after each round of digests: what is wrong, undefined where all were written. */
  onProblem(problem: string | undefined): void;
  /** Replaced by crash tests. */
  readonly append?: AppendSynced;
}

// Due digests are looked for at least so often: clocks are set, and machines sleep.
const CHECK_MS = 60_000;
const CHECK_MS_MIN = 1000;
const RETRY_FIRST_MS = 1000;
// A store that refuses three in a row is down; one that refuses an account's digests is not.
const FAILURES_MAX = 3;

/** See above. */
export class DigestChain {
  readonly #options: DigestChainOptions;
  readonly #failures = new Map<Chain, number>();
  #journal: Promise<DigestJournal> | undefined;
  #ring: Promise<KeyRing> | undefined;
  #latest: LatestDelivery = {};
  #loop: AbortController | undefined;
  #running: Promise<void> = Promise.resolve();
  #writing: Promise<unknown> = Promise.resolve();

  constructor(options: DigestChainOptions) {
    this.#options = options;
  }

  /** Begins to write digests beside the path. What keeps it from that is told by `onProblem`. */
  start(): void {
    if (this.#loop !== undefined) return;
    this.#loop = new AbortController();
    this.#running = this.#run(this.#loop.signal);
  }

  /**
   * Takes note of files: resolves when that is durable; a file that is noted already is noted once.
   * Rejects with a RetryableError where it could not be, also when too many wait for a digest.
   */
  async delivered(files: readonly DeliveredFile[]): Promise<void> {
    const journal = await this.#open();
    await journal.note(files, this.#options.clock());
  }

  /**
   * Writes all digests that are due. Resolves with false where one could not be written, which
   * `onProblem` is told, and which is tried again.
   */
  writeDue(signal: AbortSignal): Promise<boolean> {
    return this.#inTurn(() => this.#writeAll(signal, dueEnd));
  }

  /** When digests were written last, and what went wrong. */
  status(): LatestDelivery {
    return this.#latest;
  }

  /** The keys that are valid at any time between the two, in milliseconds. */
  async publicKeys(from?: number, to?: number): Promise<readonly TrailPublicKey[]> {
    return (await this.#openRing()).publicKeys(from, to);
  }

  /**
   * Writes the last digests, and lets go of files. What the deadline cuts off is made up for at the
   * next start. Safe twice, and without start.
   */
  async stop(deadline: AbortSignal): Promise<void> {
    this.#loop?.abort(new Error("Digests are stopped"));
    this.#loop = undefined;
    await this.#running;
    const opened = this.#journal;
    if (opened === undefined) return;
    const isDone = await this.writeDue(deadline) &&
      await this.#inTurn(() => this.#writeAll(deadline, lastEnd));
    if (!isDone) this.#options.log.warn("Last digests are not written: the next start does that");
    this.#journal = undefined;
    this.#failures.clear();
    await (await opened.catch(() => undefined))?.close();
  }

  async #run(signal: AbortSignal): Promise<void> {
    for (let retryMs = RETRY_FIRST_MS; !signal.aborted;) {
      const isDone = await this.writeDue(signal);
      retryMs = isDone ? RETRY_FIRST_MS : Math.min(2 * retryMs, CHECK_MS);
      const waitMs = isDone ? await this.#untilDueMs() : retryMs;
      await pause(waitMs, signal).catch(() => {});
    }
  }

  async #untilDueMs(): Promise<number> {
    const { clock, intervalMs } = this.#options;
    const ends = (await this.#open()).chains().map(({ end }) => end);
    const untilMs = Math.min(...ends) + intervalMs - clock();
    return Math.min(Math.max(untilMs, CHECK_MS_MIN), CHECK_MS);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#writing.catch(() => {}).then(work);
    this.#writing = done;
    return done;
  }

  /** Writes digests of every chain, as long as one is due by `endOf`. */
  async #writeAll(signal: AbortSignal, endOf: typeof dueEnd): Promise<boolean> {
    const { clock, onProblem } = this.#options;
    const { failed, problem } = await this.#writeRound(signal, endOf)
      .catch((error) => ({ failed: 1, problem: messageOf(error) }));
    // What a stop cut off is nobody's fault.
    if (signal.aborted) return false;
    if (failed > 0) this.#latest = { ...this.#latest, attemptTime: clock(), error: problem! };
    onProblem(problem);
    return failed === 0;
  }

  async #writeRound(
    signal: AbortSignal,
    endOf: typeof dueEnd,
  ): Promise<{ failed: number; problem: string | undefined }> {
    const { clock, intervalMs } = this.#options;
    let failed = 0;
    let problem: string | undefined;
    for (const chain of this.#inOrder((await this.#open()).chains())) {
      signal.throwIfAborted();
      const now = clock();
      try {
        await this.#writeChain(chain, () => endOf(chain, now, intervalMs), signal);
        this.#failures.delete(chain);
        if (chain.end > now + intervalMs) problem ??= clockProblem(chain);
      } catch (error) {
        this.#failures.set(chain, (this.#failures.get(chain) ?? 0) + 1);
        problem = messageOf(error);
        if (++failed >= FAILURES_MAX) break;
      }
    }
    return { failed, problem };
  }

  /** Those that failed come last: they must not keep others from their turn. */
  #inOrder(chains: readonly Chain[]): readonly Chain[] {
    const failures = (chain: Chain) => this.#failures.get(chain) ?? 0;
    return [...chains].sort((a, b) => failures(a) - failures(b));
  }

  async #writeChain(
    chain: Chain,
    endOf: () => number | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { place, store, clock } = this.#options;
    const journal = await this.#open();
    const isLast = () => chain.plan === undefined && endOf() === undefined;
    while (!isLast()) {
      signal.throwIfAborted();
      const { plan } = chain;
      // One that was decided for another place says so in its text.
      const isOfHere = plan !== undefined && plan.head.bucket === place.bucket;
      const end = plan?.head.end ?? endOf()!;
      const planned = isOfHere ? plan : await this.#plan(chain, end, signal);
      const { head, body } = planned;
      await store.put(head.key, Buffer.from(body, "base64"), {
        contentType: "application/json",
        contentEncoding: "gzip",
        textHash: head.hash,
        metadata: {
          [SIGNATURE_METADATA]: head.signature,
          [SIGNATURE_ALGORITHM_METADATA]: DIGEST_SIGNATURE_ALGORITHM,
        },
      }, signal);
      await journal.stored(chain, planned);
      this.#latest = { time: clock(), attemptTime: clock() };
    }
  }

  async #plan(chain: Chain, end: number, signal: AbortSignal): Promise<PlannedDigest> {
    const { place, intervalMs, gzip } = this.#options;
    const { bucket } = place;
    const start = chain.head === undefined ? end - intervalMs : chain.end;
    const ring = await this.#openRing();
    const { fingerprint, sign } = await ring.keyFor(start, end, signal);
    const files = filesUntil(chain, end);
    const digest = nextDigest(chain, files, { start, end, fingerprint }, place);
    const text = Buffer.from(JSON.stringify(digest));
    const hash = digestHash(text);
    const signature = await sign(digestSignedText(digest, hash), signal);
    const body = Buffer.from(await gzip([text])).toString("base64");
    const head = { bucket, key: digest.digestS3Object, hash, signature, end };
    const planned = { head, files, body };
    await (await this.#open()).plan(chain, planned);
    return planned;
  }

  /** Tried again by the next who needs it. */
  #open(): Promise<DigestJournal> {
    const { directory, log, append, agent, clock } = this.#options;
    const open = async () => {
      const journal = await DigestJournal.open({ directory, log, ...(append && { append }) });
      try {
        await journal.begin(agent.accountId, agent.region, clock());
      } catch (error) {
        await journal.close();
        throw error;
      }
      return journal;
    };
    return this.#journal ??= open().catch((error) => {
      this.#journal = undefined;
      throw error;
    });
  }

  #openRing(): Promise<KeyRing> {
    const { directory, keys, log } = this.#options;
    return this.#ring ??= KeyRing.open({ ...keys, directory, log }).catch((error) => {
      this.#ring = undefined;
      throw error;
    });
  }
}

function clockProblem({ end }: Chain): string {
  const time = new Date(end).toISOString();
  return `Cannot write digests: the last one ended at ${time}, which is yet to come; set the clock`;
}

function messageOf(error: unknown): string {
  return error instanceof RetryableError
    ? error.message
    : `Cannot write digest: ${error instanceof Error ? error.message : error}`;
}
