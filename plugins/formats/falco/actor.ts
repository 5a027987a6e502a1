// Who set off an alert, by the fields of Falco's sources: system calls, Kubernetes, CloudTrail,
// GitHub, Okta. A field that Falco could not fill is null, empty or `<NA>`.

import type { Actor, JsonObject } from "../../sdk/index.ts";
import { textIn } from "../../sdk/json-frame.ts";
import { account, assumed } from "../../sdk/programs/action-event.ts";

/** Where plugins of Falco put the name of the user. */
const NAMES = ["ct.user", "okta.actor.alternateID", "github.user", "gcp.user", "k8smeta.user"];
const UNSET_UIDS: ReadonlySet<string> = new Set(["-1", "4294967295"]);

/** A field's text; undefined for one that Falco could not fill. */
export function fieldOf(fields: JsonObject, name: string): string | undefined {
  const text = textIn(fields, name);
  return text === "<NA>" ? undefined : text;
}

/** The actor of an alert; a user without a name where the fields do not say. */
export function actorOf(fields: JsonObject): Actor {
  const kubernetes = fieldOf(fields, "ka.user.name");
  if (kubernetes !== undefined) {
    const by = kubernetesActor(kubernetes);
    const as = fieldOf(fields, "ka.impuser.name");
    return as === undefined ? by : assumed(as, by);
  }
  for (const field of NAMES) {
    const name = fieldOf(fields, field);
    if (name !== undefined) return { type: "user", name };
  }
  return processActor(fields);
}

/** Components of a cluster act by themselves; service accounts and people have names. */
function kubernetesActor(name: string): Actor {
  return /^system:(?!serviceaccount:|anonymous$)/.test(name)
    ? { type: "service", name }
    : { type: "user", name };
}

/** The account a process runs as, and the one that logged in where that is another. */
function processActor(fields: JsonObject): Actor {
  const name = fieldOf(fields, "user.name");
  const uid = fieldOf(fields, "user.uid");
  const runs = account(name, uid);
  const loginUid = fieldOf(fields, "user.loginuid");
  if (loginUid === undefined || UNSET_UIDS.has(loginUid)) return runs;
  const loginName = fieldOf(fields, "user.loginname");
  const login = account(loginName, loginUid);
  const same = uid === undefined ? loginName === name : uid === loginUid;
  const known = name ?? uid;
  if (same || known === undefined) return known === undefined ? login : runs;
  return assumed(runs.type === "root" ? "root" : known, login, uid);
}
