// How it ended: success=, res= and result= in all their spellings, the call's exit code, and the
// verdict of an access check.

import type { Outcome } from "../../sdk/event.ts";
import { errnoName } from "./errno.ts";
import type { Facts } from "./facts.ts";
import type { FieldMap } from "./field-map.ts";

const SUCCESS: Outcome = { success: true };
const FAILED: ReadonlySet<string> = new Set(["no", "failed", "fail", "0", "failure", "denied"]);

/** The outcome; success where no record says otherwise. */
export function outcomeOf(facts: Facts): Outcome {
  const { primary, call, rule } = facts;
  const verdict = denied(facts);
  if (verdict !== undefined) {
    return verdict ? { success: false, code: "AccessDenied" } : SUCCESS;
  }
  const own = resultOf(primary.fields);
  const result = own ?? (call === undefined ? undefined : resultOf(call.fields));
  if (result === undefined || !FAILED.has(result)) return SUCCESS;
  const exit = primary.fields.get("exit") ??
    (own === undefined ? call?.fields.get("exit") : undefined);
  return { success: false, code: exitCode(exit) ?? rule.failure };
}

function resultOf(fields: FieldMap): string | undefined {
  return fields.get("success") ?? fields.get("res") ?? fields.get("result");
}

/** `-13` and `EACCES` alike -> `EACCES`. */
function exitCode(exit: string | undefined): string | undefined {
  if (exit === undefined) return undefined;
  if (/^E[A-Z0-9]+$/.test(exit)) return exit;
  const number = -Number(exit);
  return number > 0 ? errnoName(number) ?? `E${number}` : undefined;
}

/** What an access check said: denied or not; undefined where the event is none. */
function denied(facts: Facts): boolean | undefined {
  if (!facts.rule.action.startsWith("CheckAccess")) return undefined;
  const { fields } = facts.primary;
  const apparmor = fields.get("apparmor");
  if (apparmor !== undefined) return apparmor === "DENIED" || apparmor === "KILL";
  const text = fields.get("text");
  if (text === undefined || !text.includes("denied")) return text === undefined ? undefined : false;
  // A permissive policy reports and lets pass.
  return fields.get("permissive") !== "1";
}
