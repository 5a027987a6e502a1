// Runs a batch through a pipeline's processors. A record that comes out as the same object keeps
// its bytes; a changed or added one is written as JSON once, at the end. What makes a processor
// throw is found by offering the records one by one, and set aside. Between dedupe and the queue.

import { validateRecord } from "../../plugins/sdk/cloudtrail/validate.ts";
import type { AgentIdentity, Batch, CloudTrailRecord, Processor } from "../../plugins/sdk/index.ts";
import { type Draft, fromRecord, messageOf, type Rejected, rejectedObject } from "./draft.ts";

/** What came of a batch. `drafts.length + filtered + rejected.length == given + added`. */
export interface Processed {
  readonly drafts: readonly Draft[];
  /** Records that a processor took out. */
  readonly filtered: number;
  /** Records that a processor put in (their eventID was not in the batch). */
  readonly added: number;
  readonly rejected: readonly Rejected[];
}

/** A record between processors, and the draft it began as. */
interface Item {
  readonly record: CloudTrailRecord;
  readonly draft: Draft | undefined;
}

interface Tally {
  filtered: number;
  added: number;
  readonly rejected: Rejected[];
}

/** Offers the batch to each processor in turn. Never rejects because of a record or a processor. */
export async function runProcessors(
  processors: readonly Processor[],
  drafts: readonly Draft[],
  agent: AgentIdentity,
): Promise<Processed> {
  const tally: Tally = { filtered: 0, added: 0, rejected: [] };
  let items: readonly Item[] = drafts.map(itemOf);
  for (const processor of processors) {
    if (items.length > 0) items = await step(processor, items, tally);
  }
  return { drafts: settle(items, agent, tally), ...tally };
}

function itemOf(draft: Draft): Item {
  if (draft.record === undefined) throw new TypeError("Cannot process a draft without its record");
  return { record: draft.record, draft };
}

async function step(
  processor: Processor,
  items: readonly Item[],
  tally: Tally,
): Promise<readonly Item[]> {
  try {
    return await offer(processor, items, tally);
  } catch (error) {
    if (items.length === 1) {
      tally.rejected.push(rejectedItem(items[0]!, messageOf(error)));
      return [];
    }
  }
  const passed: Item[] = [];
  for (const item of items) passed.push(...await step(processor, [item], tally));
  return passed;
}

async function offer(
  processor: Processor,
  items: readonly Item[],
  tally: Tally,
): Promise<readonly Item[]> {
  const batch = items.map((item) => item.record);
  const given = await processor.process(batch);
  if (!Array.isArray(given)) throw new TypeError("Processor did not answer with a list");
  if (isSame(batch, given)) return items;
  const byRecord = new Map(items.map((item) => [item.record, item]));
  const byId = new Map(items.map((item) => [item.record.eventID, item]));
  const left = new Set(items);
  let added = 0;
  // Records of other sources may have no eventID, or share one: then their place tells them apart.
  const inPlace = given.length === items.length;
  const passed = (given as Batch).map((record, i): Item => {
    const { eventID } = record;
    const beside = inPlace && items[i]!.record.eventID === eventID ? items[i] : undefined;
    const from = byRecord.get(record) ?? beside ?? byId.get(eventID);
    if (from !== undefined && left.delete(from)) return { record, draft: from.draft };
    added++;
    return { record, draft: undefined };
  });
  tally.added += added;
  tally.filtered += left.size;
  return passed;
}

function isSame(before: Batch, after: Batch): boolean {
  if (before === after) return true;
  if (before.length !== after.length) return false;
  for (let i = 0; i < before.length; i++) if (before[i] !== after[i]) return false;
  return true;
}

/** Drafts in order; those that changed are checked and written anew. */
function settle(items: readonly Item[], agent: AgentIdentity, tally: Tally): readonly Draft[] {
  const drafts: Draft[] = [];
  for (const { record, draft } of items) {
    if (draft !== undefined && draft.record === record) {
      drafts.push(draft);
      continue;
    }
    const own = draft === undefined || draft.own;
    const options = { agent, own, keep: false, validate: validateRecord };
    const { drafts: written, rejected } = fromRecord(record, options);
    // The window knows its id from its original: here the bytes tell it from a repeat.
    for (const changed of written) drafts.push({ ...changed, own: false });
    tally.rejected.push(...rejected);
  }
  return drafts;
}

function rejectedItem({ record, draft }: Item, message: string): Rejected {
  const reason = `Processor failed: ${message}`;
  const code = "CAIRN_PROCESSOR";
  return draft !== undefined && draft.record === record
    ? { raw: draft.bytes, reason, code }
    : rejectedObject(record, reason, undefined, code);
}
