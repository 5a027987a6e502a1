// Drafts: records on their way into the queue, with their bytes and the few fields that routing
// needs. Made of events (normalized, strictly checked) and of records that arrive as CloudTrail
// (leniently checked, bytes kept as they came). Pure; what cannot be taken is named, never thrown.

import { Buffer } from "node:buffer";
import { compactJson } from "../../plugins/sdk/cloudtrail/json-text.ts";
import { parseRecord } from "../../plugins/sdk/cloudtrail/parse-record.ts";
import {
  recordTime,
  validateOwnRecord,
  validateRecord,
} from "../../plugins/sdk/cloudtrail/validate.ts";
import type {
  AgentIdentity,
  AuditEvent,
  CloudTrailRecord,
  RecordOptions,
} from "../../plugins/sdk/index.ts";
import type { Entry } from "../queue/queue.ts";
import { contentId } from "./identity.ts";
import { normalize } from "./normalize.ts";
import { Slab } from "./slab.ts";
import { SHORT_RECORD_BYTES, trim } from "./trim.ts";

/** A record about to be stored. */
export interface Draft extends Entry {
  /** Kept where processors are to see it; where not, it is garbage as soon as it is looked at. */
  readonly record?: CloudTrailRecord;
  /** Made by the agent, so within CloudTrail's limits; other records are never cut. */
  readonly own: boolean;
  /** Its id alone tells repeats, though the agent did not make it. */
  readonly identified?: boolean;
}

/** Something that cannot be stored, for the dead letters. */
export interface Rejected {
  /** What came, verbatim; an event or record without bytes as its JSON text. */
  readonly raw: Uint8Array;
  readonly reason: string;
  readonly code: string;
  /** Its identity at its source, where it has one. */
  readonly id?: string;
}

/** What became of a batch. */
export interface Drafts {
  readonly drafts: readonly Draft[];
  readonly rejected: readonly Rejected[];
}

/**
 * Longest record taken. Four times the longest that CloudTrail delivers to any event data store;
 * one such record still fits every frame, batch and object.
 */
export const STORED_BYTES_MAX = 4 * 1024 * 1024;

/** Code of what breaks the record's rules, and of what cannot be read as one. */
const INVALID = "CAIRN_INVALID_RECORD";
const UNREADABLE = "CAIRN_REJECTED_INPUT";

/** How records become drafts. */
export interface DraftOptions {
  readonly agent: AgentIdentity;
  /** Made by the agent: cut to CloudTrail's limits. */
  readonly own: boolean;
  /** Whether drafts hold their record; see Draft.record. */
  readonly keep: boolean;
  /** Answers why a record cannot be taken. */
  readonly validate: (record: unknown, bytes: number) => string | undefined;
}

/** Drafts of events. */
export function fromEvents(
  events: readonly AuditEvent[],
  source: string,
  agent: AgentIdentity,
  keep: boolean,
): Drafts {
  const options = { agent, own: true, keep, validate: validateOwnRecord };
  const made: Made = { drafts: [], rejected: [] };
  const slab = new Slab(events.length);
  // One after the other: each record is garbage before the next is made.
  for (const event of events) {
    try {
      serialize(normalize(event, source, agent), slab, options, made);
    } catch (error) {
      made.rejected.push(rejectedObject(event, messageOf(error), textId(event?.id)));
    }
  }
  return made;
}

/** Drafts of records that arrive as CloudTrail, as their JSON texts. */
export function fromRecords(
  texts: readonly Uint8Array[],
  agent: AgentIdentity,
  keep: boolean,
  { identify, identified = false }: RecordOptions = {},
): Drafts {
  const made: Made = { drafts: [], rejected: [] };
  for (let i = 0; i < texts.length; i++) {
    const raw = texts[i]!;
    const taken = readRecord(raw, agent, keep);
    if ("bytes" in taken) made.drafts.push(identified ? { ...taken, identified } : taken);
    else {
      const id = identify?.(i);
      made.rejected.push({ raw, ...taken, ...(id === undefined ? {} : { id }) });
    }
  }
  return made;
}

function readRecord(
  text: Uint8Array,
  agent: AgentIdentity,
  keep: boolean,
): Draft | Pick<Rejected, "reason" | "code"> {
  if (text.length > STORED_BYTES_MAX) return { reason: tooLong(text.length), code: INVALID };
  try {
    const { record, bytes } = parseRecord(text);
    const reason = validateRecord(record);
    if (reason !== undefined) return { reason, code: INVALID };
    return draft(record, compactJson(bytes), { agent, own: false, keep });
  } catch (error) {
    return { reason: messageOf(error), code: UNREADABLE };
  }
}

/** The draft of one record object, or why there is none. */
export function fromRecord(record: CloudTrailRecord, options: DraftOptions): Drafts {
  const made: Made = { drafts: [], rejected: [] };
  serialize(record, new Slab(1), options, made);
  return made;
}

interface Made {
  readonly drafts: Draft[];
  readonly rejected: Rejected[];
}

/** Checks a record and writes it as JSON, once. */
function serialize(record: CloudTrailRecord, slab: Slab, options: DraftOptions, made: Made): void {
  try {
    let bytes = slab.write(JSON.stringify(record));
    if (options.own && bytes.length > SHORT_RECORD_BYTES) {
      record = trim(record);
      bytes = slab.write(JSON.stringify(record));
    }
    const { length } = bytes;
    const reason = length > STORED_BYTES_MAX ? tooLong(length) : options.validate(record, length);
    if (reason === undefined) made.drafts.push(draft(record, bytes, options));
    else made.rejected.push({ raw: bytes, reason, code: INVALID });
  } catch (error) {
    made.rejected.push(rejectedObject(record, messageOf(error), textId(record?.eventID)));
  }
}

/** An object that could not be taken, as far as it can be written. */
export function rejectedObject(
  value: unknown,
  reason: string,
  id?: string,
  code = INVALID,
): Rejected {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch {
    // A cycle, a BigInt, nesting beyond the stack: JSON has no words for it.
  }
  const raw = Buffer.from(text ?? "");
  return id === undefined ? { raw, reason, code } : { raw, reason, code, id };
}

/** An error's message; of anything else that was thrown, its text. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The routing fields are taken with care: a record may hold anything its checks let through. */
function draft(
  record: CloudTrailRecord,
  bytes: Uint8Array,
  { agent, own, keep }: Omit<DraftOptions, "validate">,
): Draft {
  const { eventID, recipientAccountId, awsRegion, eventCategory } = record;
  const time = recordTime(record);
  return {
    id: eventID && eventID.length <= 128 ? eventID : contentId(bytes),
    time,
    accountId: isAccount(recipientAccountId) ? recipientAccountId : agent.accountId,
    region: isRegion(awsRegion) ? awsRegion : agent.region,
    category: isCategory(eventCategory) ? eventCategory : "Management",
    bytes,
    own,
    ...(keep ? { record } : {}),
  };
}

function isAccount(text: string | undefined): text is string {
  return typeof text === "string" && text.length === 12 && /^\d{12}$/.test(text);
}

function isRegion(text: string | undefined): text is string {
  return typeof text === "string" && /^[a-z0-9-]{1,32}$/.test(text);
}

function isCategory(text: string | undefined): text is string {
  return typeof text === "string" && /^[A-Za-z]{1,64}$/.test(text);
}

function textId(id: unknown): string | undefined {
  return typeof id === "string" ? id : undefined;
}

function tooLong(bytes: number): string {
  return `Record is too long: ${bytes} bytes, at most ${STORED_BYTES_MAX}`;
}
