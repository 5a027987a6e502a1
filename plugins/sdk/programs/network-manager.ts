// NetworkManager's audit lines: `<info>  [1581.2] audit: op="connection-add" uuid="…" pid=1 uid=0
// result="success"`. All else it says is how, not who.

import type { AuditEvent } from "../event.ts";
import { account, actionEvent } from "./action-event.ts";
import type { Ignored, ProgramMessage } from "./program-message.ts";

const CHATTER = "no action: NetworkManager chatter";

const PAIR = /([a-z][a-z-]{0,63})=(?:"([^"]*)"|([^\s"]*))/g;
const VERBS: ReadonlyMap<string, string> = new Map([
  ["add", "Create"],
  ["update", "Update"],
  ["delete", "Delete"],
  ["activate", "Activate"],
  ["deactivate", "Deactivate"],
  ["control", "Control"],
  ["disconnect", "Disconnect"],
  ["reapply", "Reapply"],
]);
const PLACED: ReadonlySet<string> = new Set(["op", "result", "reason", "uid", "pid"]);

/** Describes a message of NetworkManager. */
export function describeNetworkManager(
  message: ProgramMessage,
  ignored: Ignored,
): AuditEvent | undefined {
  const at = message.text.indexOf("audit: op=");
  if (at < 0) {
    ignored(CHATTER);
    return undefined;
  }
  const found = new Map<string, string>();
  for (const [, name = "", quoted, bare] of message.text.slice(at + 7).matchAll(PAIR)) {
    if (!found.has(name)) found.set(name, quoted ?? bare ?? "");
  }
  const request: Record<string, string> = {};
  for (const [name, value] of found) if (!PLACED.has(name)) request[name] = value;
  if (found.has("pid")) request.processId = found.get("pid")!;
  const failed = found.get("result") !== "success";
  const reason = found.get("reason");
  const name = found.get("name") ?? found.get("interface");
  return actionEvent(message, {
    service: "networkmanager",
    action: actionOf(found.get("op")!),
    actor: account(undefined, found.get("uid")),
    ...(failed ? { failure: "OperationFailed", ...(reason ? { reason } : {}) } : {}),
    ...(name === undefined ? {} : { resources: [{ type: "Host::NetworkConnection", name }] }),
    request,
  });
}

/** `connection-add` -> `CreateConnection`; an unknown verb keeps its place: `ConnectionFoo`. */
function actionOf(op: string): string {
  const words = op.split("-");
  const last = words.at(-1)!;
  const verb = words.length > 1 ? VERBS.get(last) : undefined;
  if (verb !== undefined) words.pop();
  return (verb ?? "") +
    words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("");
}
