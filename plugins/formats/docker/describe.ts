// EngineEvent -> AuditEvent: what was done to which container, image, network or volume. Engines do
// not say who asked, so nobody is named; labels are copied up to a limit.

import type { AuditEvent, FramePosition, Json } from "../../sdk/index.ts";
import { commandWithoutSecrets } from "../../sdk/command-secrets.ts";
import { frameId } from "../../sdk/json-frame.ts";
import { isSecretName, NOT_COPIED } from "../../sdk/json-secrets.ts";
import { pascalCase } from "../../sdk/mapping-event.ts";
import { setMember } from "../../sdk/mapping-path.ts";
import { ruleOf } from "./actions.ts";
import type { EngineEvent } from "./read.ts";

const VALUE_CHARACTERS_MAX = 1024;

// Attributes of the engine's own, and what they are called in a record. Every other is a label.
const KNOWN: ReadonlyMap<string, string> = new Map([
  ["comment", "comment"],
  ["container", "container"],
  ["destination", "destination"],
  ["driver", "driver"],
  ["execID", "execId"],
  ["image", "image"],
  ["imageID", "imageId"],
  ["manifestDigest", "manifestDigest"],
  ["mode", "mode"],
  ["name", "name"],
  ["oldName", "oldName"],
  ["podId", "podId"],
  ["propagation", "propagation"],
  ["read/write", "writable"],
  ["signal", "signal"],
  ["type", "driver"],
  ["state.new", "stateNew"],
  ["state.old", "stateOld"],
  ["availability.new", "availabilityNew"],
  ["availability.old", "availabilityOld"],
  ["role.new", "roleNew"],
  ["role.old", "roleOld"],
  ["updatestate.new", "updateStateNew"],
  ["updatestate.old", "updateStateOld"],
  ["replicas.new", "replicasNew"],
  ["replicas.old", "replicasOld"],
  ["image.new", "imageNew"],
  ["image.old", "imageOld"],
]);
const EXIT_CODES: ReadonlySet<string> = new Set(["exitCode", "containerExitCode"]);
const RESULTS: ReadonlySet<string> = new Set(["execDuration", "reclaimed", "error"]);

/** Describes an event; `at` identifies one whose engine told no nanoseconds. */
export function describe(event: EngineEvent, at: FramePosition, labelsMax: number): AuditEvent {
  const { time, type, verb, detail, actorId, attributes, scope } = event;
  const rule = ruleOf(type, verb);
  const name = actorId ?? attributes.get("name");
  const request: Record<string, Json> = {};
  if (actorId !== undefined) request.id = cut(actorId);
  const response: Record<string, Json> = {};
  const labels: Record<string, Json> = {};
  let labelCount = 0;
  for (const [key, value] of attributes) {
    const known = KNOWN.get(key);
    if (known !== undefined) request[known] = cut(value);
    else if (EXIT_CODES.has(key)) {
      if (rule.byEngine) response.exitCode = /^-?\d{1,6}$/.test(value) ? Number(value) : cut(value);
    } else if (RESULTS.has(key)) response[key] = cut(value);
    else if (++labelCount <= labelsMax) {
      setMember(labels, cut(key), isSecretName(key) ? NOT_COPIED : cut(value));
    }
  }
  if (detail !== undefined) request.command = commandWithoutSecrets(detail);
  const additional: Record<string, Json> = { engineAction: cut(verb) };
  if (scope !== undefined) additional.scope = scope;
  if (labelCount > 0 && labelsMax > 0) additional.labels = labels;
  if (labelCount > labelsMax) additional.labelsLeftOut = labelCount - labelsMax;
  return {
    id: idOf(event, at),
    time,
    service: "docker",
    action: rule.action,
    actor: rule.byEngine ? { type: "service", name: "docker" } : { type: "user" },
    outcome: outcomeOf(event),
    ...(name === undefined
      ? undefined
      : { resources: [{ type: typeName(type), name: cut(name) }] }),
    request,
    ...(Object.keys(response).length === 0 ? undefined : { response }),
    additional,
    readOnly: rule.readOnly,
    category: rule.category,
  };
}

/**
 * The engine gives no id: the nanosecond, what was done and to what is its identity. What an event
 * says beside it may be spelled in another way by the engine's next version.
 */
function idOf({ nanos, type, verb, actorId, attributes }: EngineEvent, at: FramePosition): string {
  if (nanos === undefined) return frameId(at);
  const parts = [nanos, type, verb, actorId ?? attributes.get("name") ?? ""];
  for (const key of ["container", "execID", "signal"]) {
    const value = attributes.get(key);
    if (value !== undefined) parts.push(value);
  }
  return parts.join(":");
}

function outcomeOf({ verb, attributes }: EngineEvent): AuditEvent["outcome"] {
  if (verb !== "pull-error") return { success: true };
  const message = attributes.get("error");
  return message === undefined
    ? { success: false, code: "PullFailed" }
    : { success: false, code: "PullFailed", message: cut(message) };
}

function typeName(type: string): string {
  return `Docker::${pascalCase(cut(type)) || "Object"}`;
}

function cut(text: string): string {
  return text.length > VALUE_CHARACTERS_MAX ? `${text.slice(0, VALUE_CHARACTERS_MAX)}…` : text;
}
