// What an action at GitHub was done to.

import type { Resource } from "../../sdk/event.ts";
import type { Json, JsonObject } from "../../sdk/json.ts";

// Member, kind. Actions of an enterprise have lists of organizations and repositories.
const KINDS: readonly (readonly [string, string])[] = [
  ["repo", "GitHub::Repository"],
  ["repository", "GitHub::Repository"],
  ["team", "GitHub::Team"],
  ["user", "GitHub::User"],
  ["hook_id", "GitHub::Hook"],
  ["ruleset_name", "GitHub::Ruleset"],
  ["workflow_id", "GitHub::Workflow"],
  ["runner_name", "GitHub::Runner"],
  ["oauth_application_name", "GitHub::OauthApplication"],
  ["integration", "GitHub::App"],
  ["org", "GitHub::Organization"],
  ["business", "GitHub::Enterprise"],
];
// More would not be read; an enterprise may name thousands.
const RESOURCES_MAX = 32;

/** The resources that the members of an entry, and of its `data`, name. */
export function resourcesOf(entry: JsonObject, data: JsonObject | undefined): Resource[] {
  const found: Resource[] = [];
  for (const [member, type] of KINDS) {
    add(found, type, entry[member] ?? data?.[member]);
  }
  return found;
}

function add(found: Resource[], type: string, value: Json | undefined): void {
  if (Array.isArray(value)) {
    for (const item of value) if (!Array.isArray(item)) add(found, type, item);
    return;
  }
  if (found.length >= RESOURCES_MAX || value === "") return;
  if (typeof value !== "string" && typeof value !== "number") return;
  const name = String(value);
  if (!found.some((one) => one.name === name && one.type === type)) found.push({ type, name });
}
