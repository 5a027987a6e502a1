// Who made a request to Vault: what it says of the token, and for a login of the account that asks.

import type { Actor } from "../../sdk/event.ts";
import type { JsonObject } from "../../sdk/json.ts";
import { listIn, objectIn, textIn } from "../../sdk/json-frame.ts";

const LOGIN = /^auth\/.+\/login\/([^/]+)$/;

/**
 * The actor. A root token is root; a token of a role (AppRole, Kubernetes, AWS …) is that role,
 * assumed by the entity behind it; any other is the user or the entity it was given to.
 */
export function actorOf(document: JsonObject, request: JsonObject | undefined): Actor {
  const given = objectIn(document, "auth");
  // A login has no token yet: the response says whom it let in.
  const auth = hasIdentity(given) ? given : objectIn(objectIn(document, "response"), "auth");
  if (auth === undefined || !hasIdentity(auth)) return askingFor(request);
  if (listIn(auth, "policies")?.includes("root") === true) return { type: "root" };
  const metadata = objectIn(auth, "metadata");
  const name = textIn(metadata, "username") ?? textIn(auth, "display_name");
  const id = textIn(auth, "entity_id") ?? textIn(auth, "accessor");
  const user: Actor = {
    type: "user",
    ...(name === undefined ? undefined : { name }),
    ...(id === undefined ? undefined : { id }),
  };
  const role = textIn(metadata, "role_name") ?? textIn(metadata, "role");
  return role === undefined ? user : { type: "role", name: role, assumedBy: user };
}

function hasIdentity(auth: JsonObject | undefined): boolean {
  return textIn(auth, "display_name") !== undefined || textIn(auth, "entity_id") !== undefined ||
    textIn(auth, "accessor") !== undefined || listIn(auth, "policies") !== undefined;
}

/** Nobody was let in: the account that a login names, or nobody. */
function askingFor(request: JsonObject | undefined): Actor {
  const name = LOGIN.exec(textIn(request, "path") ?? "")?.[1];
  if (name !== undefined) return { type: "user", name };
  const token = textIn(request, "client_token") ?? textIn(request, "client_token_accessor");
  const asked = textIn(request, "operation") !== undefined;
  return token === undefined && asked && textIn(request, "remote_address") !== undefined
    ? { type: "anonymous" }
    : { type: "user" };
}
