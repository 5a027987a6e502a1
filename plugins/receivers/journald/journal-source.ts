// A journal that journalctl reads: this machine's, a folder's or a file's. The child is followed,
// started again where it ends, and resumed at the last durable cursor.

import { createHash } from "node:crypto";
import type { Json } from "../../sdk/index.ts";
import { pause } from "../../sdk/follow-wait.ts";
import { FIELDS, identityOf, type JournalFields, textOf } from "./entry.ts";
import { EntryStream, lastMembers } from "./entry-stream.ts";
import { Journalctl } from "./journalctl.ts";
import { type EntryTaker, JsonReader } from "./parse-json.ts";
import { type Source, type SourceOptions, Waiters } from "./source.ts";

const RETRY_FIRST_MS = 1000;
const RETRY_MAX_MS = 60_000;
/** A child that ran this long had a life of its own: the next pause is a short one again. */
const LIVED_MS = 30_000;
const TICK_MS = 250;

/** Which journal. */
export interface Journal {
  /** Key of its position, and its name in messages. */
  readonly key: string;
  /** journalctl's arguments that choose it. */
  readonly args: readonly string[];
  /** Whether its entries are this machine's own. */
  readonly own: boolean;
  readonly startAt: "end" | "beginning";
}

/** See the top of the file. */
export class JournalSource implements Source {
  readonly #journal: Journal;
  readonly #options: SourceOptions;
  readonly #stream: EntryStream;
  readonly #drains = new Waiters();
  #child: Journalctl | undefined;
  /** Identity of the entry that a resumed child has to begin with. */
  #expected: string | undefined;
  #refused: string | undefined;
  #following = false;

  constructor(journal: Journal, options: SourceOptions) {
    const { context, intake, signal } = options;
    this.#journal = journal;
    this.#options = options;
    this.#stream = new EntryStream({
      key: journal.key,
      context,
      intake,
      signal,
      auditRecords: options.config.audit_records,
      describe: {
        ownHost: journal.own ? undefined : context.agent.host,
        ignored: (reason) => context.ignored(reason),
      },
      onDelivery: (failure) => {
        this.#refused = failure;
        options.report(failure);
      },
    });
    signal.addEventListener("abort", () => this.#child?.stop());
  }

  async start(): Promise<void> {
    if (this.#stream.at !== null || this.#journal.startAt === "beginning") return;
    this.#stream.moveTo({ since: this.#options.context.clock() });
  }

  drain(): Promise<void> {
    const drained = this.#drains.add();
    // A child that follows has no end to wait for: another reads to the end, then follows again.
    if (this.#following) this.#child?.stop();
    return drained;
  }

  async run(): Promise<void> {
    const { signal, context } = this.#options;
    let waitMs = RETRY_FIRST_MS;
    while (!signal.aborted) {
      // Under --once there is something to do when somebody waits for the end, and only then.
      if (context.once) await this.#drains.added(signal);
      if (signal.aborted) break;
      const settle = this.#drains.some ? this.#drains.take() : undefined;
      const began = performance.now();
      const problem = await this.#read(settle === undefined).catch(textOfError);
      if (problem === undefined && this.#refused === undefined) {
        this.#options.report(this.#child?.warning);
      }
      if (signal.aborted || problem === undefined) {
        settle?.(signal.aborted ? signal.reason : undefined);
        waitMs = RETRY_FIRST_MS;
        continue;
      }
      this.#options.report(problem);
      // Who waits learns of it; the source itself tries again.
      settle?.(new Error(problem));
      if (performance.now() - began > LIVED_MS) waitMs = RETRY_FIRST_MS;
      await pause(waitMs, signal);
      waitMs = Math.min(waitMs * 2, RETRY_MAX_MS);
    }
    this.#drains.take()(signal.reason);
  }

  /** One child from its start to its end; answers what went wrong. */
  async #read(follow: boolean): Promise<string | undefined> {
    const { config, signal } = this.#options;
    const child = new Journalctl(config.command, this.#arguments(follow));
    this.#child = child;
    this.#following = follow;
    // Aborted, or asked to drain, before there was a child to stop.
    if (signal.aborted || (follow && this.#drains.some)) child.stop();
    this.#expected = this.#stream.last;
    const reader = new JsonReader(config.max_entry_bytes);
    const taker = this.#taker();
    const timer = setInterval(() => this.#tick(child), TICK_MS);
    let whole = false;
    try {
      for await (const chunk of child.chunks()) {
        reader.push(chunk, taker);
        await this.#stream.send();
        if (signal.aborted) break;
      }
      whole = !signal.aborted;
      if (!follow) {
        reader.finish(taker);
        this.#stream.flush(Infinity);
      }
      if (!signal.aborted) await this.#stream.settled();
    } finally {
      clearInterval(timer);
      this.#following = false;
      if (!whole) child.stop();
    }
    const { code, problem } = await child.ended();
    // A follower ends because it was asked to, for a drain; any other end is a problem.
    const asked = follow && this.#drains.some;
    return asked || (!follow && code === 0) ? undefined : problem;
  }

  #tick(child: Journalctl): void {
    this.#stream.flush(this.#options.context.clock());
    this.#stream.send().catch(() => {});
    if (this.#refused === undefined) this.#options.report(child.warning);
  }

  #arguments(follow: boolean): string[] {
    const args = ["--output=json", "--all", "--no-pager", "--boot=all"];
    args.push(`--output-fields=${FIELDS.join(",")}`, ...this.#journal.args);
    for (const unit of this.#options.config.units) args.push(`--unit=${unit}`);
    if (follow) args.push("--follow", "--no-tail");
    const at = this.#stream.at;
    if (isObject(at)) {
      // With the entry itself, not behind it: that it comes shows that none are missing between.
      if (typeof at.cursor === "string") args.push(`--cursor=${at.cursor}`);
      else if (typeof at.since === "number") args.push(`--since=@${(at.since / 1000).toFixed(3)}`);
    }
    return args;
  }

  #taker(): EntryTaker {
    return {
      entry: (fields) => this.#take(fields),
      reject: (raw, _offset, reason) => this.#stream.reject(raw, reason, contentKey(raw)),
    };
  }

  #take(fields: JournalFields): void {
    const expected = this.#expected;
    if (expected !== undefined) {
      this.#expected = undefined;
      const cursor = textOf(fields, "__CURSOR");
      if (cursor !== undefined && identityOf(cursor) === expected) return;
      this.#options.context.log.error(
        `Cannot go on in "${this.#journal.key}" behind the last entry read: it is no longer there, ` +
          "and what came after it may be gone, since the journal was deleted or vacuumed",
      );
      this.#stream.tellGap(expected, fields);
    }
    this.#stream.take(fields, (cursor, last) => ({ cursor, ...lastMembers(last) }));
  }
}

/** journalctl's lines have no offset that lasts: what it wrote in vain is known by its content. */
function contentKey(raw: Uint8Array): string {
  return createHash("sha256").update(raw).digest("hex").slice(0, 32);
}

function textOfError(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function isObject(value: Json): value is { readonly [name: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
