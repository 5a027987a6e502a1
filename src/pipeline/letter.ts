// A dead letter: what could not be read, or what an exporter will never take, and how it lies in its
// queue: one line of JSON (all but the input) and then the input as it came.

import { Buffer } from "node:buffer";
import type { AgentIdentity, StoredRecord } from "../../plugins/sdk/index.ts";
import type { Entry } from "../queue/queue.ts";
import { contentId } from "./identity.ts";

/** What is said of a letter, apart from the input itself. */
interface About {
  /** Why it was set aside: the problem, never the input. */
  readonly reason: string;
  /** Stable name of the problem. */
  readonly code: string;
  /** Id of the receiver it came through, or of the exporter that will not take it. */
  readonly from: string;
  /** How often it was offered. */
  readonly attempts: number;
  /** Of the first and last attempt, in milliseconds since the epoch. */
  readonly firstAt: number;
  readonly lastAt: number;
  /** Its sequence in the pipeline's queue, for records that were stored: of an exporter. */
  readonly sequence?: number;
  /** How long the input was, where it was too long to be kept whole. */
  readonly rawBytes?: number;
}

/** One thing set aside. */
export interface Letter extends About {
  /** The same for the same input of the same component, so that it is kept once. */
  readonly id: string;
  /** Number of the letter, from 1. */
  readonly number: number;
  /** The input, verbatim. */
  readonly raw: Uint8Array;
}

/**
 * A letter to be kept. `key` is the input's identity at its component; without one, its content.
 */
export interface NewLetter extends About {
  readonly key?: string;
  readonly raw: Uint8Array;
}

const ID_LENGTH_MAX = 200;
const CATEGORY = "DeadLetter";

/** Whose letters they are. */
export type Owner = Pick<AgentIdentity, "accountId" | "region">;

/** The id that a letter gets. */
export function letterId(letter: NewLetter): string {
  const id = `${letter.from}#${letter.key ?? contentId(letter.raw)}`;
  return id.length <= ID_LENGTH_MAX ? id : `${letter.from}#${contentId(Buffer.from(id))}`;
}

/** A letter as its queue stores it; `raw` is as much of the input as is kept. */
export function packLetter(
  id: string,
  letter: NewLetter,
  raw: Uint8Array,
  agent: Owner,
): Entry {
  const { reason, code, from, attempts, firstAt, lastAt, sequence } = letter;
  const about: About = {
    reason,
    code,
    from,
    attempts,
    firstAt,
    lastAt,
    ...(sequence === undefined ? {} : { sequence }),
    ...(raw.length < letter.raw.length ? { rawBytes: letter.raw.length } : {}),
  };
  return {
    id,
    time: lastAt,
    accountId: agent.accountId,
    region: agent.region,
    category: CATEGORY,
    bytes: Buffer.concat([Buffer.from(`${JSON.stringify(about)}\n`), raw]),
  };
}

/** Reads it back; `raw` is a view of the stored bytes. */
export function unpackLetter({ id, sequence, bytes }: StoredRecord): Letter {
  const end = bytes.indexOf(10);
  const about = JSON.parse(new TextDecoder().decode(bytes.subarray(0, end))) as About;
  return { ...about, id, number: sequence, raw: bytes.subarray(end + 1) };
}
