// What a request to the Kubernetes API does, as a name: verb, kind and subresource, or the path of one that is for no
// resource. Names come from small sets: a scanner's paths must not make new ones.

import { pluralOf } from "./action-name.ts";
import { capital, kindOf } from "./kubernetes-kind.ts";

/** What of a request its name is made of. */
export interface Target {
  readonly verb: string;
  /** Path of the request, without the query. */
  readonly path: string;
  readonly resource: string | undefined;
  readonly subresource: string | undefined;
  readonly name: string | undefined;
  readonly isDryRun: boolean;
}

/** A named action. */
export interface Action {
  readonly action: string;
  readonly readOnly: boolean;
  readonly category: "Management" | "Data";
}

const VERBS: Readonly<Record<string, string>> = {
  create: "Create",
  post: "Create",
  get: "Get",
  head: "Get",
  options: "Get",
  list: "List",
  watch: "Watch",
  update: "Update",
  put: "Update",
  patch: "Patch",
  delete: "Delete",
  deletecollection: "Delete",
};
const READ_VERBS: ReadonlySet<string> = new Set(["get", "list", "watch", "head", "options"]);
const COLLECTION_VERBS: ReadonlySet<string> = new Set(["list", "watch", "deletecollection"]);

// Subresources that are verbs, whatever the method that reaches them.
const DEEDS: Readonly<Record<string, string>> = {
  attach: "Attach",
  binding: "Bind",
  eviction: "Evict",
  exec: "Exec",
  portforward: "PortForward",
  proxy: "Proxy",
};
// What goes on inside of a pod, node or service: operations in a resource, not on it.
const INSIDE: ReadonlySet<string> = new Set(["attach", "exec", "portforward", "proxy", "log"]);

const SUBRESOURCES: Readonly<Record<string, string>> = {
  ephemeralcontainers: "EphemeralContainers",
  podiptables: "PodIPTables",
};

// Questions to the API that are asked with the method of a change.
const QUESTIONS: ReadonlySet<string> = new Set([
  "localsubjectaccessreviews",
  "selfsubjectaccessreviews",
  "selfsubjectreviews",
  "selfsubjectrulesreviews",
  "subjectaccessreviews",
  "tokenreviews",
]);

const PATHS: readonly (readonly [RegExp, string])[] = [
  [/^\/(?:healthz|livez|readyz)(?:\/|$)/, "Health"],
  [/^\/version\/?$/, "Version"],
  [/^\/metrics(?:\/|$)/, "Metrics"],
  [/^\/(?:openapi|swagger)/, "OpenApi"],
  [/^\/apis?(?:\/|$)/, "ApiResources"],
  [/^\/logs(?:\/|$)/, "NodeLogs"],
  [/^\/debug(?:\/|$)/, "DebugProfile"],
  [/^\/(?:\.well-known|openid)\//, "OpenIdConfiguration"],
];

const WORD = /^[a-z][a-z0-9]{0,99}$/;

/** Names the action of a request. */
export function nameAction(target: Target): Action {
  const verb = target.verb.toLowerCase();
  const isRead = READ_VERBS.has(verb) || target.isDryRun;
  const verbName = VERBS[verb] ?? (WORD.test(verb) ? capital(verb) : "Request");
  const { resource, subresource } = target;
  if (resource === undefined) {
    return { action: verbName + pathName(target.path), readOnly: isRead, category: "Management" };
  }
  const kind = kindOf(resource);
  if (subresource === undefined) {
    const isMany = COLLECTION_VERBS.has(verb) && target.name === undefined;
    const action = verbName + (isMany ? pluralOf(kind) : kind);
    return { action, readOnly: isRead || QUESTIONS.has(resource), category: "Management" };
  }
  const category = INSIDE.has(subresource) ? "Data" : "Management";
  const deed = Object.hasOwn(DEEDS, subresource) ? DEEDS[subresource] : undefined;
  if (deed !== undefined) return { action: deed + kind, readOnly: target.isDryRun, category };
  const part = SUBRESOURCES[subresource] ??
    (WORD.test(subresource) ? capital(subresource) : "Part");
  return { action: verbName + kind + part, readOnly: isRead, category };
}

function pathName(path: string): string {
  for (const [pattern, name] of PATHS) if (pattern.test(path)) return name;
  return "NonResourceUrl";
}
