// The arguments of EXECVE records: `a0=… a1=…`, over as many records as they need, and one
// argument over several where it is long (`a2_len=18000 a2[0]=… a2[1]=…`).

import { Buffer } from "node:buffer";
import type { AuditRecord } from "./parse.ts";
import { bytesToText, isUpperHex } from "./text.ts";

/** By argument, then by part. */
type Parts = Map<number, Map<number, string>>;

/** Name of an argument, `a12`, or of a part of one, `a12[3]`. */
export const ARGUMENT = /^a(\d{1,7})(?:\[(\d{1,7})\])?$/;

const NAMES: readonly string[] = Array.from({ length: 64 }, (_, i) => `a${i}`);

/**
 * The arguments in order. One that a lost record held is null; a long one lacks the parts that were
 * lost. As many nulls as arguments at most, whatever the record claims.
 */
export function argumentsOf(records: readonly AuditRecord[]): (string | null)[] {
  return inOrder(records) ?? gathered(records);
}

/** The arguments where one record holds them all, one after the other: nearly every command. */
function inOrder(records: readonly AuditRecord[]): string[] | undefined {
  let found: AuditRecord | undefined;
  for (const record of records) {
    if (record.type !== "EXECVE") continue;
    if (found !== undefined) return undefined;
    found = record;
  }
  if (found === undefined) return [];
  const words: string[] = [];
  const { names: { list }, values } = found.fields;
  if (list[0] !== "argc") return undefined;
  for (let i = 1; i < values.length; i++) {
    const value = values[i];
    if (value === undefined || list[i] !== NAMES[i - 1]) return undefined;
    words.push(value);
  }
  return words;
}

function gathered(records: readonly AuditRecord[]): (string | null)[] {
  const whole = new Map<number, string>();
  const parts: Parts = new Map();
  for (const record of records) if (record.type === "EXECVE") collect(record, whole, parts);
  for (const [index, list] of parts) whole.set(index, joinParts(list));
  const indexes = [...whole.keys()].sort((a, b) => a - b);
  const found: (string | null)[] = [];
  let gaps = indexes.length;
  for (const index of indexes) {
    while (found.length < index && gaps-- > 0) found.push(null);
    found.push(whole.get(index)!);
  }
  return found;
}

function collect(record: AuditRecord, whole: Map<number, string>, parts: Parts): void {
  const { names, values } = record.fields;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    const match = value === undefined ? null : ARGUMENT.exec(names.list[i]!);
    if (value === undefined || match === null) continue;
    const index = Number(match[1]);
    if (match[2] === undefined) {
      if (!whole.has(index)) whole.set(index, value);
      continue;
    }
    let list = parts.get(index);
    if (list === undefined) parts.set(index, list = new Map());
    list.set(Number(match[2]), value);
  }
}

/** Joins bytes before reading them as text: a character may lie across two parts. */
function joinParts(list: ReadonlyMap<number, string>): string {
  const bytes: Buffer[] = [];
  for (const at of [...list.keys()].sort((a, b) => a - b)) {
    const part = list.get(at)!;
    if (part.startsWith('"')) bytes.push(Buffer.from(part.slice(1), "latin1"));
    else bytes.push(isUpperHex(part) ? Buffer.from(part, "hex") : Buffer.from(part, "latin1"));
  }
  return bytesToText(Buffer.concat(bytes));
}
