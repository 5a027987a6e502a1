// From the entries of one journal to the intake: events in batches, each with the position behind
// it. While one batch becomes durable the next one fills; when that is full, reading waits.

import type { ComponentContext, Format, Intake, Json, Position } from "../../sdk/index.ts";
import { RejectedInput } from "../../sdk/index.ts";
import { Delivery, FollowBatch, NO_LINES } from "../../sdk/follow-batch.ts";
import { auditLineOf, decodeAudit, describeEntry, type DescribeOptions } from "./describe.ts";
import { identityOf, type JournalFields, receivedTime, textOf } from "./entry.ts";

/** Entries of one and the same microsecond that are remembered to tell equal ones apart. */
const TWINS_MAX = 256;
/** A position without events is stored this often at most: what it skips is cheap to read again. */
const IDLE_POSITION_MS = 5000;
const NO_CURSOR = "Has no cursor";
const NO_TIME = "Has no time";
const AUDIT_OFF = "not audited: audit records are off";

/** What an EntryStream is made with. */
export interface EntryStreamOptions {
  /** The key of its position. */
  readonly key: string;
  readonly context: ComponentContext;
  readonly intake: Intake;
  readonly signal: AbortSignal;
  readonly describe: DescribeOptions;
  /** Whether audit records become events. */
  readonly auditRecords: boolean;
  /** Told while the intake refuses, and when it takes again. */
  readonly onDelivery: (failure: string | undefined) => void;
}

/** See the top of the file. */
export class EntryStream {
  readonly #key: string;
  readonly #context: ComponentContext;
  readonly #describe: DescribeOptions;
  readonly #auditRecords: boolean;
  readonly #delivery: Delivery;
  readonly #audit: Format;
  #batch: FollowBatch;
  #busy = false;
  #failure: unknown;
  #waiting: (() => void)[] = [];
  /** Number of entries so far: their offset as the audit format sees it. */
  #number = 0;
  /** Where each audit record that may still wait was found: the position before it. */
  #held: { readonly number: number; readonly before: Json }[] = [];
  #moved = false;
  #sentAt = 0;
  /** The entries of the last microsecond, by identity, and how often each came. */
  #moment = "";
  #twins: Record<string, number>;
  #twinsSize: number;
  /** Identity of the last entry that was taken, and the position behind it. */
  #last: string | undefined;
  #at: Json;

  constructor(options: EntryStreamOptions) {
    this.#key = options.key;
    this.#context = options.context;
    this.#describe = options.describe;
    this.#auditRecords = options.auditRecords;
    this.#audit = options.context.format("audit");
    this.#delivery = new Delivery(options.intake, options.signal, options.onDelivery);
    this.#batch = this.#newBatch();
    const stored = storedOf(options.intake.position()?.[options.key]);
    this.#at = options.intake.position()?.[options.key] ?? null;
    this.#last = stored.last;
    this.#moment = momentOf(stored.last ?? "");
    this.#twins = stored.twins;
    this.#twinsSize = Object.keys(stored.twins).length;
  }

  /** The stored position, as it was passed with the last entry. */
  get at(): Json {
    return this.#at;
  }

  /** Says where it stands, without an entry, and has that stored. */
  moveTo(position: Json): void {
    this.#at = position;
    this.#moved = true;
    this.#kick(true);
  }

  /** Identity of the last entry. */
  get last(): string | undefined {
    return this.#last;
  }

  /** Whether entries should wait: the next batch is full and the one before is not durable. */
  get isFull(): boolean {
    return this.#batch.isFull;
  }

  /**
   * Takes an entry; `positionOf` makes the position behind it from its cursor and the twins.
   * Throws RejectedInput for one that cannot be read.
   */
  take(
    fields: JournalFields,
    positionOf: (cursor: string, last: LastEntry) => Json,
  ): void {
    const cursor = textOf(fields, "__CURSOR");
    const identity = cursor === undefined ? undefined : identityOf(cursor);
    if (cursor === undefined || identity === undefined) throw new RejectedInput(NO_CURSOR);
    const receivedAt = receivedTime(fields, identity);
    if (receivedAt === undefined) throw new RejectedInput(NO_TIME);
    const before = this.#at;
    const count = this.#countOf(identity);
    const id = count === 1 ? identity : `${identity};n=${count}`;
    this.#number++;
    this.#last = identity;
    this.#at = positionOf(cursor, { last: identity, twins: this.#twins });
    this.#moved = true;
    const line = auditLineOf(fields, this.#describe.ownHost);
    if (line === undefined) {
      const event = describeEntry(fields, id, identity, this.#describe);
      if (event !== undefined) this.#batch.events.push(event);
      return;
    }
    if (!this.#auditRecords) return this.#describe.ignored(AUDIT_OFF);
    const at = { source: this.#key, offset: this.#number, receivedAt };
    for (const event of decodeAudit(line, this.#audit, at)) this.#batch.events.push(event);
    if (this.#audit.oldestPending() !== undefined) {
      this.#held.push({ number: this.#number, before });
    }
  }

  /** Adds an event that says that entries between these two may be lost. */
  tellGap(after: string, next: JournalFields): void {
    const identity = identityOf(textOf(next, "__CURSOR") ?? "") ?? "";
    this.#batch.events.push({
      id: `gap:${after}:${identity}`,
      time: receivedTime(next, identity) ?? this.#context.clock(),
      service: "journald",
      action: "LoseEvents",
      actor: { type: "service", name: "journald" },
      outcome: { success: true },
      additional: { after, next: identity, journal: this.#key },
      readOnly: false,
      category: "Management",
    });
  }

  /** Sets unreadable input aside; `id` is where it was found. */
  reject(raw: Uint8Array, reason: string, id: string, at?: Json): void {
    this.#batch.rejects.push({ raw: Uint8Array.from(raw), reason, id: `${this.#key}:${id}` });
    if (at !== undefined) this.#at = at;
    this.#moved = true;
  }

  /** Hands out audit records that have waited long enough; Infinity hands out all. */
  flush(nowMs: number): void {
    if (this.#audit.oldestPending() === undefined) return;
    const decoded = this.#audit.flush(nowMs);
    this.#batch.take(decoded);
    this.#moved = true;
  }

  /** Sends what there is, unless a batch is under way. Resolves when more may be taken. */
  async send(): Promise<void> {
    this.#kick(false);
    while (this.#batch.isFull && this.#busy) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
      if (this.#failure !== undefined) throw this.#failure;
    }
  }

  /** Resolves when all that was taken is durable. */
  async settled(): Promise<void> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      this.#kick(true);
      if (!this.#busy) return;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #newBatch(): FollowBatch {
    return new FollowBatch(NO_LINES, this.#key, this.#context.clock());
  }

  /** How often this identity has come, this time included. */
  #countOf(identity: string): number {
    const moment = momentOf(identity);
    if (moment !== this.#moment || this.#twinsSize >= TWINS_MAX) {
      this.#moment = moment;
      this.#twins = {};
      this.#twinsSize = 0;
    }
    const count = (this.#twins[identity] ?? 0) + 1;
    if (count === 1) this.#twinsSize++;
    this.#twins[identity] = count;
    return count;
  }

  #kick(all: boolean): void {
    if (this.#busy || (this.#batch.size === 0 && !this.#moved)) return;
    const now = this.#context.clock();
    if (this.#batch.size === 0 && !all && now - this.#sentAt < IDLE_POSITION_MS) return;
    const batch = this.#batch;
    batch.position = this.#position();
    this.#batch = this.#newBatch();
    this.#moved = false;
    this.#busy = true;
    this.#sentAt = now;
    const sent = this.#delivery.send(batch).then(() => this.#delivery.settled());
    const done = (failure?: unknown) => {
      this.#busy = false;
      this.#failure ??= failure;
      if (failure === undefined) this.#kick(false);
      for (const resolve of this.#waiting.splice(0)) resolve();
    };
    sent.then(() => done(), (error: unknown) => done(error ?? new Error("Stopped")));
  }

  /** Behind the last entry, or before the oldest audit record that still waits for others. */
  #position(): Position {
    const pending = this.#audit.oldestPending();
    if (pending === undefined) this.#held = [];
    else this.#held = this.#held.filter(({ number }) => number >= pending.offset);
    return { [this.#key]: this.#held[0]?.before ?? this.#at };
  }
}

/** What a position says of the last entry, so that a restart tells an equal next one apart. */
export interface LastEntry {
  readonly last: string;
  readonly twins: Readonly<Record<string, number>>;
}

/** Boot and times of an identity: entries that differ in these cannot be twins. */
function momentOf(identity: string): string {
  return identity.slice(0, identity.lastIndexOf(";x="));
}

/** The parts of a stored position that concern twins. */
function storedOf(position: Json | undefined): { last?: string; twins: Record<string, number> } {
  const twins: Record<string, number> = {};
  if (typeof position !== "object" || position === null || Array.isArray(position)) {
    return { twins };
  }
  const { last, twins: counts } = position as Readonly<Record<string, Json>>;
  if (typeof last !== "string") return { twins };
  if (typeof counts === "object" && counts !== null && !Array.isArray(counts)) {
    for (const [identity, count] of Object.entries(counts)) {
      if (typeof count === "number") twins[identity] = count;
    }
  } else twins[last] = 1;
  return { last, twins };
}

/** The members of a position for twins; the counts only where some came twice. */
export function lastMembers({ last, twins }: LastEntry): Record<string, Json> {
  for (const identity in twins) {
    if (identity !== last || twins[identity] !== 1) return { last, twins: { ...twins } };
  }
  return { last };
}
