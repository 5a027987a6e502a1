// One journal entry: its fields, whichever way they were written. journalctl writes text as a
// string, other bytes as a list of numbers, a field that comes twice as a list of both, and null for
// one that was too long.

import { Buffer, isUtf8 } from "node:buffer";

/** A field's value. */
export type JournalValue = string | null | readonly (string | number | readonly number[] | null)[];

/** The fields of an entry by name. Of export format only those in FIELDS. */
export type JournalFields = Readonly<Record<string, JournalValue | undefined>>;

/** The fields that events are made of; all others stay in the journal. */
export const FIELDS: readonly string[] = [
  "MESSAGE",
  "SYSLOG_IDENTIFIER",
  "SYSLOG_PID",
  "_PID",
  "_UID",
  "_COMM",
  "_EXE",
  "_HOSTNAME",
  "_TRANSPORT",
  "_SYSTEMD_UNIT",
  "_SOURCE_REALTIME_TIMESTAMP",
  "_AUDIT_LOGINUID",
  "_AUDIT_SESSION",
  "_AUDIT_TYPE_NAME",
  "_AUDIT_ID",
  "UNIT",
  "USER_UNIT",
  "USER_ID",
  "SESSION_ID",
];

/** The entry's address fields, which journalctl writes by itself. */
export const ADDRESS_FIELDS: readonly string[] = [
  "__CURSOR",
  "__REALTIME_TIMESTAMP",
];

/** A field as text, the first one where it came twice; undefined where there is none. */
export function textOf(fields: JournalFields, name: string): string | undefined {
  const value = fields[name];
  if (typeof value === "string") return value;
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const first: unknown = value[0];
  if (typeof first === "string") return first;
  const bytes: unknown = typeof first === "number" ? value : first;
  return Array.isArray(bytes) ? bytesToText(Buffer.from(bytes as number[])) : undefined;
}

/** Bytes as UTF-8 text; where they are none, bytes above 0x7f stand as `\xHH`. */
export function bytesToText(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString("utf8");
  return bytes.toString("latin1").replace(
    /[\x80-\xff]/g,
    (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}

/**
 * What stays the same of a cursor wherever the entry is read: boot, monotonic and wall clock time,
 * hash of the fields (`b=…;m=…;t=…;x=…`). The rest numbers entries within one journal file, and a
 * copy is numbered anew. Undefined for a text that is no cursor.
 */
export function identityOf(cursor: string): string | undefined {
  const at = cursor.indexOf(";b=");
  if (at < 0 || cursor.length > 512 || !cursor.includes(";x=", at)) return undefined;
  return cursor.slice(at + 1);
}

/** When the entry was written, in milliseconds: from its field, else from the cursor's `t=`. */
export function receivedTime(fields: JournalFields, identity: string): number | undefined {
  const micros = Number(textOf(fields, "__REALTIME_TIMESTAMP") ?? Number.NaN);
  if (micros > 0) return Math.floor(micros / 1000);
  const hex = /;t=([0-9a-f]{1,16});/.exec(identity)?.[1];
  return hex === undefined ? undefined : Math.floor(Number.parseInt(hex, 16) / 1000);
}
