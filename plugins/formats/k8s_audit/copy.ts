// Copies of what a request brought, without what must not be told: contents of secrets, config maps
// and tokens, values of environment variables, and members that are named as secrets are.

import type { Json, JsonObject } from "../../sdk/json.ts";
import { isObject, setMember } from "../../sdk/mapping-path.ts";

const PRIVATE_RESOURCES: ReadonlySet<string> = new Set([
  "configmaps",
  "secrets",
  "tokenrequests",
  "tokenreviews",
]);
const PRIVATE_KINDS = /^(?:Secret|ConfigMap|TokenRe(?:quest|view))(?:List)?$/;
// As `password`, `dbPassword`, `api_key`; a name of a secret to look up, as `secretName`, is none.
const SECRET_NAME =
  /(?:password|passwd|passphrase|secret|token|credentials?|private_?key|secret_?key|access_?key|api_?key)s?$/i;
// What nobody asked for: who set which field, and a copy of the whole object as text.
const NOISE: ReadonlySet<string> = new Set([
  "managedFields",
  "kubectl.kubernetes.io/last-applied-configuration",
]);
const HIDDEN = "[not copied]";

/** Whether nothing of a resource's objects may be copied. */
export function isPrivate(resource: string | undefined, subresource: string | undefined): boolean {
  if (resource === undefined) return false;
  return PRIVATE_RESOURCES.has(resource) || subresource === "token" || subresource === "proxy";
}

/** A copy of what a request asks for; undefined where nothing may be told, or is left. */
export function copyRequested(requested: Json | undefined): Json | undefined {
  if (Array.isArray(requested)) return requested.map(operation);
  if (!isObject(requested)) return undefined;
  if (typeof requested.kind === "string" && PRIVATE_KINDS.test(requested.kind)) return undefined;
  return copyObject(requested);
}

/** One step of a JSON patch: what it changes, not to what. */
function operation(step: Json): Json {
  if (!isObject(step)) return HIDDEN;
  const { op, path, from } = step;
  const kept: Record<string, Json> = {};
  if (typeof op === "string") kept.op = op;
  if (typeof path === "string") kept.path = path;
  if (typeof from === "string") kept.from = from;
  return kept;
}

function copyObject(object: JsonObject): JsonObject {
  const copy: Record<string, Json> = {};
  for (const key in object) {
    const value = object[key];
    if (value === undefined || value === null || NOISE.has(key)) continue;
    setMember(
      copy,
      key,
      key === "env" && Array.isArray(value) ? value.map(variable) : part(key, value),
    );
  }
  return copy;
}

function part(key: string, value: Json): Json {
  if (Array.isArray(value)) return value.map((item) => part(key, item));
  if (isObject(value)) {
    return typeof value.kind === "string" && PRIVATE_KINDS.test(value.kind)
      ? HIDDEN
      : copyObject(value);
  }
  return typeof value === "string" && SECRET_NAME.test(key) ? HIDDEN : value;
}

/** An environment variable: its name and where its value comes from, not the value. */
function variable(entry: Json): Json {
  if (!isObject(entry)) return HIDDEN;
  const { value, ...rest } = entry;
  return value === undefined ? rest : { ...rest, value: HIDDEN };
}

// Parameters of the API that say how, not what; anything else could be a proxied service's own.
const PARAMETERS: ReadonlySet<string> = new Set([
  "allowWatchBookmarks",
  "command",
  "container",
  "dryRun",
  "fieldManager",
  "fieldSelector",
  "fieldValidation",
  "follow",
  "force",
  "gracePeriodSeconds",
  "labelSelector",
  "limit",
  "ports",
  "previous",
  "propagationPolicy",
  "sinceSeconds",
  "sinceTime",
  "stderr",
  "stdin",
  "stdout",
  "tailLines",
  "tty",
  "watch",
]);

/** The known parameters of a query; several values of one name are a list. */
export function copyParameters(query: string): Record<string, Json> {
  const copy: Record<string, Json> = {};
  if (query === "") return copy;
  for (const [name, value] of new URLSearchParams(query)) {
    if (!PARAMETERS.has(name)) continue;
    const before = copy[name];
    if (before === undefined) copy[name] = value;
    else copy[name] = Array.isArray(before) ? [...before, value] : [before, value];
  }
  return copy;
}

// A webhook's patch of the object is as private as the object.
const PATCH_ANNOTATION = "patch.webhook.admission.k8s.io/";

/** The event's own annotations: decisions of authorization, admission and pod security. */
export function copyAnnotations(annotations: JsonObject): JsonObject {
  const copy: Record<string, Json> = {};
  for (const key in annotations) {
    const value = annotations[key];
    if (typeof value !== "string" || key.startsWith(PATCH_ANNOTATION)) continue;
    setMember(copy, key, value);
  }
  return copy;
}
