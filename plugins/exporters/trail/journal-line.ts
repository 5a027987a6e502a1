// The lines of the journal of digests, and what they add up to. Each is a CRC-32 in hex, a space and
// a JSON array that begins with its kind, and changes one chain, the one of an account and a region:
//   chain   it begins, or is where it was: [account, region, end, head or null]
//   file    a log file was delivered: [account, region, at, key, hash, oldest, newest]
//   plan    a digest is decided, with its very bytes; digest: it is stored: [account, region, …]
//   recent  keys of files that digests list already: [keys]

import type { Buffer } from "node:buffer";
import { crc32 } from "node:zlib";
import { z } from "zod";
import type { DeliveredFile } from "./digest-chain.ts";

const head = z.object({
  bucket: z.string(),
  key: z.string(),
  /** Of its text. */
  hash: z.string(),
  signature: z.string(),
  /** When its time ended, in milliseconds since the epoch. */
  end: z.number(),
});
const plan = z.object({
  head,
  /** How many of the files that wait it lists: the first ones. */
  files: z.number(),
  /** The object's bytes in base64. */
  body: z.string(),
});

/** The last digest of a chain, as the next one speaks of it. */
export type DigestHead = z.output<typeof head>;

/** A digest that is decided; it is stored with these bytes, however often that takes. */
export type PlannedDigest = z.output<typeof plan>;

/** A file that waits for its digest. */
export interface WaitingFile extends Pick<DeliveredFile, "key" | "hash"> {
  /** When it was delivered, not before the chain's last digest ended. */
  readonly at: number;
  readonly oldestEventTime: number;
  readonly newestEventTime: number;
}

/** The digests of an account and region. */
export interface Chain {
  readonly accountId: string;
  readonly region: string;
  /** Where the next digest's time begins, in milliseconds, a whole second. */
  readonly end: number;
  readonly head: DigestHead | undefined;
  readonly plan: PlannedDigest | undefined;
  /** In order of delivery. */
  readonly files: readonly WaitingFile[];
}

const name = z.string();
const line = z.union([
  z.tuple([z.literal("chain"), name, name, z.number(), head.nullable()]),
  z.tuple([z.literal("file"), name, name, z.number(), name, name, z.number(), z.number()]),
  z.tuple([z.literal("plan"), name, name, plan]),
  z.tuple([z.literal("digest"), name, name, head, z.number()]),
  z.tuple([z.literal("recent"), z.array(name)]),
]);
/** See above. */
export type Line = z.output<typeof line>;

// A retry brings the files of one batch again; one has at most this many records by default.
const RECENT_MAX = 10_000;

interface OpenChain extends Chain {
  end: number;
  head: DigestHead | undefined;
  plan: PlannedDigest | undefined;
  files: WaitingFile[];
}

/** What the lines of a journal add up to. */
export class JournalState {
  /** By `account/region`. */
  readonly chains = new Map<string, OpenChain>();
  /** Keys that were noted before, the latest. */
  readonly recent = new Set<string>();
  /** How many files wait for a digest, in all. */
  waiting = 0;

  /** Takes a line; one that speaks of a chain that is not known is passed over. */
  apply(line: Line): void {
    if (line[0] === "recent") return line[1].forEach((key) => this.#remember(key));
    const [, accountId, region] = line;
    const id = `${accountId}/${region}`;
    if (line[0] === "chain") {
      const [, , , end, head] = line;
      const chain = { accountId, region, end, head: head ?? undefined, plan: undefined, files: [] };
      if (!this.chains.has(id)) this.chains.set(id, chain);
      return;
    }
    const chain = this.chains.get(id);
    if (chain === undefined) return;
    if (line[0] === "plan") chain.plan = line[3];
    else if (line[0] === "digest") this.#advance(chain, line[3], line[4]);
    else {
      const [, , , at, key, hash, oldestEventTime, newestEventTime] = line;
      if (this.recent.has(key)) return;
      this.#remember(key);
      chain.files.push({ at, key, hash, oldestEventTime, newestEventTime });
      this.waiting++;
    }
  }

  /** Lines that add up to the same. */
  *lines(): Generator<Line> {
    const waiting = new Set<string>();
    for (const { accountId, region, end, head, plan, files } of this.chains.values()) {
      yield ["chain", accountId, region, end, head ?? null];
      for (const { at, key, hash, oldestEventTime, newestEventTime } of files) {
        waiting.add(key);
        yield ["file", accountId, region, at, key, hash, oldestEventTime, newestEventTime];
      }
      if (plan !== undefined) yield ["plan", accountId, region, plan];
    }
    yield ["recent", [...this.recent].filter((key) => !waiting.has(key))];
  }

  #advance(chain: OpenChain, head: DigestHead, files: number): void {
    // A line that was written again because its first writing was not sure to be durable.
    if (chain.head?.key === head.key) return;
    this.waiting -= chain.files.splice(0, files).length;
    chain.end = head.end;
    chain.head = head;
    chain.plan = undefined;
  }

  #remember(key: string): void {
    this.recent.add(key);
    if (this.recent.size <= RECENT_MAX) return;
    for (const oldest of this.recent) {
      this.recent.delete(oldest);
      return;
    }
  }
}

/** Spells a line, with the line break at its end. */
export function formatLine(line: Line): string {
  const text = JSON.stringify(line);
  return `${crc32(text).toString(16).padStart(8, "0")} ${text}\n`;
}

/** Reads a line, without its break; undefined where it is damaged. */
export function parseLine(bytes: Buffer): Line | undefined {
  const text = bytes.subarray(9);
  if (bytes.toString("latin1", 0, 9) !== `${crc32(text).toString(16).padStart(8, "0")} `) {
    return undefined;
  }
  try {
    return line.safeParse(JSON.parse(text.toString())).data;
  } catch {
    return undefined;
  }
}

/** The whole second that a time is in. */
export function wholeSecond(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}
