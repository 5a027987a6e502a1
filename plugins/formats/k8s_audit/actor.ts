// Who acted: people, service accounts and the parts of the cluster itself, and who acts as another.

import type { Actor, UserActor } from "../../sdk/event.ts";
import { objectIn, textIn } from "../../sdk/json-frame.ts";
import type { JsonObject } from "../../sdk/json.ts";

const SYSTEM = "system:";
const SERVICE_ACCOUNT = "system:serviceaccount:";
const NODE = "system:node:";
const ANONYMOUS = "system:anonymous";
/** The name in the credentials that k3s and OpenShift give to whoever installs them. */
const ADMIN = "system:admin";

/** The actor of an audit event. */
export function actorOf(event: JsonObject): Actor {
  const user = objectIn(event, "user");
  const acting = accountOf(user);
  const other = objectIn(event, "impersonatedUser");
  const name = textIn(other, "username");
  if (name === undefined) return acting;
  const id = textIn(other, "uid");
  return { type: "role", name, assumedBy: acting, ...(id !== undefined && { id }) };
}

function accountOf(user: JsonObject | undefined): Actor {
  const name = textIn(user, "username");
  if (name === ANONYMOUS) return { type: "anonymous", id: name };
  if (name?.startsWith(SYSTEM) && !name.startsWith(SERVICE_ACCOUNT)) {
    const component = componentOf(name);
    if (component !== undefined) return { type: "service", name: component };
  }
  const account: { -readonly [K in keyof UserActor]: UserActor[K] } = { type: "user" };
  if (name !== undefined) account.name = name;
  const id = textIn(user, "uid");
  if (id !== undefined) account.id = id;
  return account;
}

/** `system:kube-scheduler` -> `kube-scheduler`; a node's agent is `kubelet.<node>`. */
function componentOf(name: string): string | undefined {
  if (name === ADMIN) return undefined;
  if (name.startsWith(NODE)) return `kubelet.${name.slice(NODE.length)}`;
  return name.slice(SYSTEM.length).replaceAll(":", ".") || undefined;
}
