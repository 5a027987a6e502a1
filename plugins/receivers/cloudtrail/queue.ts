// The origin of log files that an SQS queue announces. A round is one receipt of messages; each is
// deleted when all it announces is durable, and hidden from others until then.

import { Buffer } from "node:buffer";
import { type Log, type Position, RejectedInput } from "../../sdk/index.ts";
import type { QueueMessage, Sqs } from "../../sdk/aws/sqs.ts";
import { type AnnouncedObject, type Notification, parseNotification } from "./notification.ts";
import type { Blame, FileEnd, FoundFile, Origin, Round, RoundEnd } from "./origin.ts";
import { RecentFiles } from "./recent-files.ts";
import { blameStore, kindOf, openObject, s3Path, type Stores } from "./stores.ts";

/** Which queue, and where the objects are that it announces. */
export interface QueueOptions {
  readonly url: string;
  readonly queue: Sqs;
  readonly stores: Stores;
  readonly visibilityMs: number;
  readonly withDigests: boolean;
  readonly log: Log;
  /** Told what is left out on purpose. */
  ignored(reason: string, count?: number): void;
}

// The longest that SQS waits; under `--once` long enough to ask all of its servers.
const WAIT_MS = 20_000;
const FINAL_WAIT_MS = 1000;
const AHEAD_MAX = 4;

/** A message, and what it announces that is not taken yet. */
interface OpenMessage {
  readonly message: QueueMessage;
  readonly paths: Set<string>;
}

/** See above. */
export class QueueOrigin implements Origin {
  readonly name: string;
  readonly aheadMax = AHEAD_MAX;
  readonly unreadableMax = Infinity;
  readonly progress: RecentFiles;
  readonly #options: QueueOptions;
  #messages: OpenMessage[] = [];
  #timer: ReturnType<typeof setInterval> | undefined;
  #drained = false;

  constructor(options: QueueOptions, position: Position | undefined) {
    this.name = `queue "${options.url}"`;
    this.#options = options;
    this.progress = new RecentFiles(position);
  }

  begin(): Position {
    return {};
  }

  async *find(round: Round): AsyncGenerator<FoundFile> {
    const { queue, visibilityMs } = this.#options;
    const { final, signal } = round;
    const waitMs = final ? FINAL_WAIT_MS : WAIT_MS;
    const received = await queue.receive({ waitMs, visibilityMs, signal });
    this.#drained = received.length === 0;
    this.#messages = received.map((message) => ({ message, paths: new Set() }));
    this.#timer = setInterval(() => void this.#keepHidden(signal), visibilityMs / 3);
    for (const open of this.#messages) yield* this.#announced(open, round);
  }

  ended({ path }: FoundFile, end: FileEnd): Position {
    if (end === "done" || end === "gone") {
      for (const { paths } of this.#messages) paths.delete(path);
    }
    return {};
  }

  found(): Position {
    return {};
  }

  async settle(durable: boolean, signal: AbortSignal): Promise<RoundEnd> {
    clearInterval(this.#timer);
    const messages = this.#messages.splice(0);
    if (!durable) return {};
    // What is left of the others is announced again when they are no longer hidden.
    const done = messages.filter(({ paths }) => paths.size === 0).map(({ message }) => message);
    const { queue, log } = this.#options;
    const kept = await queue.delete(done, signal);
    if (kept.length > 0) {
      log.warn("Messages were hidden for too short a time and come again", { count: kept.length });
    }
    const left = messages.length - done.length;
    return {
      more: !this.#drained,
      ...(left === 0 ? {} : { degraded: `${left} messages announce what cannot be read` }),
    };
  }

  blame(error: unknown): Blame {
    return blameStore(error, false);
  }

  /** The queue itself waits for messages. */
  wait(): Promise<void> {
    return Promise.resolve();
  }

  /** A receipt is not cut short: messages on their way would be hidden, and seen by nobody. */
  poke(): void {}

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all([this.#options.queue.close(), this.#options.stores.close()]);
  }

  *#announced(open: OpenMessage, round: Round): Generator<FoundFile> {
    const { ignored } = this.#options;
    const { message, paths } = open;
    let notification: Notification;
    try {
      notification = parseNotification(message.body);
    } catch (error) {
      if (!(error instanceof RejectedInput)) throw error;
      const id = `message:${message.id}`;
      return round.onRejected(Buffer.from(message.body), error.message, id);
    }
    for (const reason of notification.ignored) ignored(reason);
    for (const object of notification.objects) {
      const { bucket, key } = object;
      const kind = kindOf(key);
      if (kind === "other") ignored("no log file");
      else if (kind === "digest" && !this.#options.withDigests) ignored("digest");
      else if (this.progress.has(s3Path(bucket, key))) ignored("announced again");
      else {
        paths.add(s3Path(bucket, key));
        yield this.#file(object, kind === "digest", round.signal);
      }
    }
  }

  #file(
    { bucket, key, region }: AnnouncedObject,
    isDigest: boolean,
    signal: AbortSignal,
  ): FoundFile {
    const path = s3Path(bucket, key);
    const { stores } = this.#options;
    return {
      path,
      final: true,
      isDigest,
      open: () => openObject(stores.of(region), bucket, key, signal),
      finished: () => this.progress.finish(path),
    };
  }

  async #keepHidden(signal: AbortSignal): Promise<void> {
    const { queue, visibilityMs, log } = this.#options;
    try {
      await queue.hide(this.#messages.map(({ message }) => message), visibilityMs, signal);
    } catch (error) {
      if (signal.aborted) return;
      const reason = error instanceof Error ? error.message : String(error);
      log.warn("Cannot keep messages hidden, they may come again", { reason });
    }
  }
}
