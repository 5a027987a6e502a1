// A request to Vault and its response, or one of them alone -> one AuditEvent.

import { checkedAction } from "../../sdk/action-name.ts";
import type { AuditEvent, Outcome } from "../../sdk/event.ts";
import { failure } from "../../sdk/http-status.ts";
import type { JsonObject } from "../../sdk/json.ts";
import {
  type EventDraft,
  frameId,
  listIn,
  type Members,
  membersExcept,
  numberIn,
  objectIn,
  originOf,
  textIn,
} from "../../sdk/json-frame.ts";
import { type ActionRule, isStore, ruleOf } from "./actions.ts";
import { actorOf } from "./actor.ts";
import type { Document, Exchange } from "./pair.ts";
import { type Showing, shownObject } from "./shown.ts";

// Members of the request that stand elsewhere in the event.
const TAKEN: ReadonlySet<string> = new Set(["remote_address", "remote_port", "data"]);
const DOCUMENT: ReadonlySet<string> = new Set(["time", "request", "response", "error", "auth"]);

/** The id that a request and its response share. */
export function exchangeId(root: JsonObject): string | undefined {
  return textIn(objectIn(root, "request"), "id") ?? textIn(objectIn(root, "response"), "id");
}

/** Makes the event. Never throws. */
export function describeExchange({ request: asked, response: answered }: Exchange): AuditEvent {
  const document = (answered ?? asked)!;
  const { root } = document;
  const request = objectIn(root, "request") ?? objectIn(asked?.root, "request");
  const response = objectIn(root, "response");
  const path = textIn(request, "path") ?? "";
  const type = textIn(request, "mount_type") ?? textIn(response, "mount_type");
  const rule = request === undefined
    ? COMPLETION
    : ruleOf(textIn(request, "operation") ?? "", path, type, textIn(request, "mount_point"));
  const showing: Showing = isStore(type) ? "store" : document.hashed ? "named" : "hashed";
  const event: EventDraft = {
    id: idOf(document),
    time: document.time,
    service: "vault",
    action: checkedAction(rule.action, "CallPath"),
    actor: actorOf(root, request),
    outcome: outcomeOf(root, response, rule),
    readOnly: rule.readOnly,
    category: rule.data ? "Data" : "Management",
  };
  const agent = listIn(objectIn(request, "headers"), "user-agent")?.[0];
  const origin = originOf(
    textIn(request, "remote_address"),
    typeof agent === "string" ? agent : undefined,
  );
  const port = numberIn(request, "remote_port");
  if (origin !== undefined) event.origin = port === undefined ? origin : { ...origin, port };
  if (path !== "") {
    const namespace = textIn(objectIn(request, "namespace"), "path") ?? "";
    event.resources = [{ type: `Vault::${rule.kind}`, name: `${namespace}${path}` }];
  }
  const parameters = request === undefined ? undefined : partOf(request, showing);
  if (parameters !== undefined) event.request = parameters;
  const elements = response === undefined ? undefined : partOf(response, showing);
  if (elements !== undefined) event.response = elements;
  event.additional = additionalOf(root, asked === document ? undefined : asked);
  return event;
}

const COMPLETION: ActionRule = {
  action: "CompleteRequest",
  kind: "Path",
  data: false,
  readOnly: false,
};

/** The request's id, with the document's kind and time: an id may come again after a restart. */
function idOf({ root, at, index }: Document): string {
  const id = exchangeId(root);
  return id === undefined
    ? frameId(at, index)
    : `${id}:${textIn(root, "type") ?? ""}:${textIn(root, "time") ?? ""}`;
}

/** A request or a response as it may be copied: its data by `showing`, all else but for tokens. */
function partOf(from: JsonObject, showing: Showing): JsonObject | undefined {
  const rest = membersExcept(from, TAKEN);
  const part = rest && shownObject(rest, "named") as Members;
  const data = objectIn(from, "data");
  if (data === undefined) return part;
  const shown = part ?? {};
  shown.data = shownObject(data, showing);
  return shown;
}

function additionalOf(root: JsonObject, asked: Document | undefined): JsonObject {
  const additional = membersExcept(root, DOCUMENT) ?? {};
  const auth = objectIn(root, "auth");
  if (auth !== undefined) additional.auth = shownObject(auth, "named");
  if (asked !== undefined) additional.requestTime = asked.root.time ?? null;
  return additional;
}

// What Vault says, and the code it stands for; the first that fits counts.
const ERRORS: readonly (readonly [RegExp, string])[] = [
  [/permission denied/i, "AccessDenied"],
  [
    /invalid (?:username|credentials|token|secret.?id|role)|bad token|missing client token/i,
    "AuthenticationFailed",
  ],
  [/unsupported (?:path|operation)|no handler|not found/i, "NotFound"],
  [/sealed/i, "Sealed"],
  [/quota/i, "TooManyRequests"],
];

function outcomeOf(
  root: JsonObject,
  response: JsonObject | undefined,
  { action }: ActionRule,
): Outcome {
  const message = textIn(root, "error") ?? textIn(response, "error");
  // A logical error stands in the data, hashed.
  const refused = textIn(objectIn(response, "data"), "error");
  if (message === undefined && refused === undefined) {
    return textIn(response, "status") === "failure"
      ? failure("OperationFailed")
      : { success: true };
  }
  const known = message === undefined ? undefined : ERRORS.find(([sign]) => sign.test(message));
  const other = action === "UserLogin" ? "AuthenticationFailed" : "OperationFailed";
  return failure(known?.[1] ?? other, message);
}
