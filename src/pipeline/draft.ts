// Drafts: records on their way into the queue, with their bytes and the few fields that routing
// needs. Made of events (normalized, strictly checked) and of records that arrive as CloudTrail
// (leniently checked, bytes kept as they came). Pure; what cannot be taken is named, never thrown.

import { Buffer } from "node:buffer";
import { compactJson } from "../../plugins/sdk/cloudtrail/json-text.ts";
import {
  recordTime,
  validateOwnRecord,
  validateRecord,
} from "../../plugins/sdk/cloudtrail/validate.ts";
import type {
  AgentIdentity,
  AuditEvent,
  Batch,
  CloudTrailRecord,
} from "../../plugins/sdk/index.ts";
import type { Entry } from "../queue/queue.ts";
import { contentId } from "./identity.ts";
import { normalize } from "./normalize.ts";
import { Slab } from "./slab.ts";
import { SHORT_RECORD_BYTES, trim } from "./trim.ts";

/** A record about to be stored. */
export interface Draft extends Entry {
  readonly record: CloudTrailRecord;
  /** Made by the agent, so within CloudTrail's limits; other records are never cut. */
  readonly own: boolean;
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

/** Drafts of events. */
export function fromEvents(
  events: readonly AuditEvent[],
  source: string,
  agent: AgentIdentity,
): Drafts {
  const records: CloudTrailRecord[] = [];
  const rejected: Rejected[] = [];
  for (const event of events) {
    try {
      records.push(normalize(event, source, agent));
    } catch (error) {
      rejected.push(rejectedObject(event, messageOf(error), textId(event?.id)));
    }
  }
  const { drafts, rejected: invalid } = serialize(records, true, agent, validateOwnRecord);
  return { drafts, rejected: rejected.length === 0 ? invalid : [...rejected, ...invalid] };
}

/** Drafts of records that arrive as CloudTrail; `bytes[i]` is the JSON text of `records[i]`. */
export function fromRecords(
  records: Batch,
  bytes: readonly Uint8Array[] | undefined,
  agent: AgentIdentity,
): Drafts {
  if (bytes === undefined) return serialize(records, false, agent, validateRecord);
  if (bytes.length !== records.length) {
    throw new TypeError(`Cannot take records: ${records.length} records, ${bytes.length} texts`);
  }
  const drafts: Draft[] = [];
  const rejected: Rejected[] = [];
  for (let i = 0; i < records.length; i++) {
    const raw = bytes[i]!;
    const reason = raw.length > STORED_BYTES_MAX ? tooLong(raw.length) : validateRecord(records[i]);
    if (reason === undefined) drafts.push(draft(records[i]!, compactJson(raw), false, agent));
    else rejected.push({ raw, reason, code: "CAIRN_INVALID_RECORD" });
  }
  return { drafts, rejected };
}

/**
 * Drafts of record objects: each checked and written as JSON once, one behind the other in memory.
 * The agent's own are cut to CloudTrail's limits.
 */
export function serialize(
  records: Batch,
  own: boolean,
  agent: AgentIdentity,
  validate: (record: unknown, bytes: number) => string | undefined,
): Drafts {
  const drafts: Draft[] = [];
  const rejected: Rejected[] = [];
  const slab = new Slab(records.length);
  for (let record of records) {
    try {
      let bytes = slab.write(JSON.stringify(record));
      if (own && bytes.length > SHORT_RECORD_BYTES) {
        record = trim(record);
        bytes = slab.write(JSON.stringify(record));
      }
      const { length } = bytes;
      const reason = length > STORED_BYTES_MAX ? tooLong(length) : validate(record, length);
      if (reason === undefined) drafts.push(draft(record, bytes, own, agent));
      else rejected.push({ raw: bytes, reason, code: "CAIRN_INVALID_RECORD" });
    } catch (error) {
      rejected.push(rejectedObject(record, messageOf(error), textId(record?.eventID)));
    }
  }
  return { drafts, rejected };
}

/** An object that could not be taken, as far as it can be written. */
export function rejectedObject(
  value: unknown,
  reason: string,
  id?: string,
  code = "CAIRN_INVALID_RECORD",
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
  own: boolean,
  agent: AgentIdentity,
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
    record,
    own,
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
