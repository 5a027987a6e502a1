// What redacting leaves alone so that a record stays one: the fields that say which record it is, and
// the shapes that its other fields must have.

import type { CloudTrailRecord, Json } from "../../sdk/index.ts";

/** Fields that are never redacted: identity, time and kind of the record. None holds free text. */
export const STRUCTURE: ReadonlySet<string> = new Set([
  "eventVersion",
  "eventID",
  "eventTime",
  "timeWindow",
  "eventSource",
  "eventName",
  "eventType",
  "eventCategory",
  "awsRegion",
  "recipientAccountId",
  "sharedEventID",
  "readOnly",
  "managementEvent",
  "sessionCredentialFromConsole",
]);

/** What stands where a field that must be there was taken away. */
const REMOVED: Readonly<Record<string, Json>> = {
  requestParameters: null,
  responseElements: null,
  sourceIPAddress: "HIDDEN_DUE_TO_SECURITY_REASONS",
};

/** The redacted record with everything it needs to be a record, out of what it was before. */
export function restore(before: CloudTrailRecord, after: CloudTrailRecord): CloudTrailRecord {
  if (after === before) return before;
  const whole: Record<string, unknown> = { ...after };
  for (const name of STRUCTURE) {
    if (before[name] !== undefined) whole[name] = before[name];
  }
  for (const [name, value] of Object.entries(REMOVED)) {
    if (before[name] !== undefined && whole[name] === undefined) whole[name] = value;
  }
  const type: unknown = before.userIdentity?.type;
  if (typeof type === "string" && /^\w{1,64}$/.test(type) && after.userIdentity?.type !== type) {
    whole.userIdentity = { ...after.userIdentity, type };
  }
  const names = Object.keys(whole);
  const isSame = names.length === Object.keys(before).length &&
    names.every((name) => whole[name] === before[name]);
  return isSame ? before : whole as CloudTrailRecord;
}
