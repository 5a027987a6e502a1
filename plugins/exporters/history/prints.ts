// The fingerprints of a record's attributes, out of the parsed record. `scan.ts` makes the same of its
// bytes, in less time.

import type { CloudTrailRecord } from "../../sdk/index.ts";
import {
  actorOf,
  factOf,
  fingerprint,
  fingerprintOf,
  resourceList,
  shortName,
} from "./attributes.ts";

/** Fingerprints of one record, 0 for what it does not have; filled again for the next. */
export interface Prints {
  accessKeyId: number;
  eventId: number;
  eventName: number;
  eventSource: number;
  readOnly: number;
  username: number;
  isError: boolean;
  /** Of its resources, in any order. */
  readonly names: number[];
  readonly types: number[];
}

/** Fingerprint of ReadOnly `true`. */
export const TRUE = fingerprint("true");
/** Fingerprint of ReadOnly `false`. */
export const FALSE = fingerprint("false");

/** Prints to be filled. */
export function emptyPrints(): Prints {
  const none = {
    accessKeyId: 0,
    eventId: 0,
    eventName: 0,
    eventSource: 0,
    readOnly: 0,
    username: 0,
  };
  return { ...none, isError: false, names: [], types: [] };
}

/** Fills the prints of a record, whatever it holds. */
export function fillPrints(record: CloudTrailRecord, prints: Prints): void {
  prints.accessKeyId = fingerprintOf(record.userIdentity?.accessKeyId);
  prints.eventId = fingerprintOf(record.eventID);
  prints.eventName = fingerprintOf(factOf(record, "eventName"));
  prints.eventSource = fingerprintOf(factOf(record, "eventSource"));
  prints.readOnly = record.readOnly === true ? TRUE : record.readOnly === false ? FALSE : 0;
  prints.username = fingerprintOf(actorOf(record));
  prints.isError = typeof factOf(record, "errorCode") === "string";
  prints.names.length = 0;
  prints.types.length = 0;
  for (const resource of resourceList(record)) {
    if (typeof resource !== "object" || resource === null) continue;
    const { ARN, ARNPrefix, type } = resource as Readonly<Record<string, unknown>>;
    if (typeof type === "string") prints.types.push(fingerprint(type));
    const name = ARN ?? ARNPrefix;
    if (typeof name !== "string") continue;
    prints.names.push(fingerprint(name));
    const short = shortName(name);
    if (short !== name) prints.names.push(fingerprint(short));
  }
}
