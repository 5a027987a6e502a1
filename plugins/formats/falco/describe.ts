// One alert of Falco -> AuditEvent: the rule is what happened, its fields say who and where.

import type { AuditEvent, FramePosition, Json, JsonObject, Resource } from "../../sdk/index.ts";
import { RejectedInput } from "../../sdk/index.ts";
import { commandWithoutSecrets } from "../../sdk/command-secrets.ts";
import { outcomeOfStatus } from "../../sdk/http-status.ts";
import {
  type EventDraft,
  frameId,
  listIn,
  numberIn,
  objectIn,
  originOf,
  textIn,
  timeAt,
} from "../../sdk/json-frame.ts";
import { isSecretName, NOT_COPIED } from "../../sdk/json-secrets.ts";
import { pascalCase } from "../../sdk/mapping-event.ts";
import { setMember } from "../../sdk/mapping-path.ts";
import { actorOf, fieldOf } from "./actor.ts";

const METRICS = "no action: Falco's own metrics";
const DROPS = "Falco internal: syscall event drop";
const ACTION_CHARACTERS_MAX = 128;
const FIELDS_MAX = 256;
const TAGS_MAX = 64;
const NO_FIELDS: JsonObject = {};
// The environment of a process holds secrets under any name.
const ENVIRONMENT = /(?:^|\.)a?env(?:\[|$)/;

/** Describes an alert, or answers why it is none. Throws RejectedInput for what has no rule. */
export function describe(
  root: JsonObject,
  at: FramePosition,
  index: number,
  host: string,
): AuditEvent | string {
  const rule = textIn(root, "rule");
  if (rule === undefined) throw new RejectedInput('Has no "rule"');
  if (rule === "Falco internal: metrics snapshot") return METRICS;
  const fields = objectIn(root, "output_fields") ?? NO_FIELDS;
  const { copied, hidden } = copyFields(fields);
  const lost = rule === DROPS;
  const event: EventDraft = {
    id: textIn(root, "uuid") ?? frameId(at, index),
    time: timeAt(at, root.time, fields["evt.time"] ?? undefined),
    service: "falco",
    action: lost ? "LoseEvents" : pascalCase(rule).slice(0, ACTION_CHARACTERS_MAX) || "RaiseAlert",
    actor: lost ? { type: "service", name: "falco" } : actorOf(fields),
    outcome: outcomeOfStatus(numberIn(fields, "ka.response.code")),
    request: requestOf(root, rule),
    additional: { ...outputOf(root, hidden), fields: copied },
    readOnly: false,
    category: "Management",
  };
  const named = textIn(root, "hostname");
  if (named !== undefined && named !== host) event.host = named;
  const origin = originOf(fieldOf(fields, "ct.srcip") ?? fieldOf(fields, "okta.client.ip"));
  if (origin !== undefined) event.origin = origin;
  const resources = resourcesOf(fields);
  if (resources.length > 0) event.resources = resources;
  return event;
}

function requestOf(root: JsonObject, rule: string): JsonObject {
  const request: Record<string, Json> = { rule };
  for (const name of ["priority", "source"]) {
    const text = textIn(root, name);
    if (text !== undefined) request[name] = text;
  }
  const tags = listIn(root, "tags")?.slice(0, TAGS_MAX).filter((tag) => typeof tag === "string");
  if (tags !== undefined && tags.length > 0) request.tags = tags;
  return request;
}

/** The fields without secrets, and the values that were hidden: the output quotes them. */
function copyFields(fields: JsonObject): { copied: JsonObject; hidden: readonly string[] } {
  const copied: Record<string, Json> = {};
  const hidden: string[] = [];
  for (const name of Object.keys(fields).slice(0, FIELDS_MAX)) {
    const value = fields[name];
    if (value === undefined || value === null || value === "<NA>") continue;
    if (ENVIRONMENT.test(name) || isSecretName(name)) {
      if (typeof value === "string" && value !== "") hidden.push(value);
      setMember(copied, name, NOT_COPIED);
    } else {setMember(
        copied,
        name,
        typeof value === "string" ? commandWithoutSecrets(value) : value,
      );}
  }
  return { copied, hidden };
}

function outputOf(root: JsonObject, hidden: readonly string[]): JsonObject {
  let output = textIn(root, "output");
  if (output === undefined) return NO_FIELDS;
  for (const value of hidden) output = output.replaceAll(value, NOT_COPIED);
  return { output: commandWithoutSecrets(output) };
}

/** The container, the pod, the file or the object of the cluster that the alert is about. */
function resourcesOf(fields: JsonObject): Resource[] {
  const found: Resource[] = [];
  const add = (type: string, name: string | undefined, within?: string) => {
    if (name !== undefined) found.push({ type, name: within ? `${within}/${name}` : name });
  };
  const container = fieldOf(fields, "container.id");
  if (container !== "host") add("Docker::Container", container);
  add("Kubernetes::Pod", fieldOf(fields, "k8s.pod.name"), fieldOf(fields, "k8s.ns.name"));
  const kind = fieldOf(fields, "ka.target.resource");
  if (kind !== undefined && /^[a-z]{1,64}$/.test(kind)) {
    const name = fieldOf(fields, "ka.target.name");
    const type = kind.replace(/ies$/, "y").replace(/([^s])s$/, "$1");
    add(`Kubernetes::${pascalCase(type)}`, name, fieldOf(fields, "ka.target.namespace"));
  }
  const file = fieldOf(fields, "fd.name");
  if (file?.startsWith("/")) add("Host::File", file);
  return found;
}
