// What an event acted on, by name: a part of describe.ts.

import type { Resource } from "../../sdk/event.ts";
import { isNobody } from "./actor.ts";
import type { Described } from "./describe.ts";
import { accountName } from "./facts.ts";
import type { Facts } from "./facts.ts";

// How gpasswd writes both names; its `acct` is the group.
const MEMBERSHIP = /^user (\S+) (?:added|removed) by \S+ (?:to|from) group (\S+)$/;

/** The things an event acted on: accounts, groups, units, modules, files. */
export function resourcesOf({ facts, call, paths, action }: Described): Resource[] {
  const resources: Resource[] = [];
  const { primary, rule } = facts;
  const acct = primary.fields.get("acct");
  const account = acct === undefined || isNobody(acct) ? undefined : acct;
  const member = MEMBERSHIP.exec(primary.fields.get("op") ?? "");
  if (member !== null) {
    resources.push({ type: "IAM::User", name: member[1]! }, {
      type: "IAM::Group",
      name: member[2]!,
    });
  } else if (rule.subject === "user" || rule.subject === "group") {
    const id = primary.fields.get(primary.type === "LOGIN" ? "auid" : "id");
    const name = account ?? ownName(facts, primary.type === "LOGIN" ? "auid" : "id") ??
      (id === "0" ? "root" : id);
    const type = rule.subject === "user" ? "IAM::User" : "IAM::Group";
    if (name !== undefined) resources.push({ type, name });
    const group = primary.fields.get("grp");
    if (group !== undefined) resources.push({ type: "IAM::Group", name: group });
  } else if (rule.subject === "unit") {
    const unit = primary.fields.get("unit");
    if (unit !== undefined) resources.push({ type: "Host::Service", name: unit });
  }
  if (primary.type === "KERN_MODULE" && primary.fields.has("name")) {
    resources.push({ type: "Host::KernelModule", name: primary.fields.get("name")! });
  }
  // The configuration is what is changed, not the files its rule names.
  if (primary.type === "CONFIG_CHANGE") return resources;
  const exec = action === "ExecuteCommand" || call === "execve" || call === "execveat";
  for (const { name, nametype } of paths) {
    if (nametype === "PARENT" || name === undefined) continue;
    if (!resources.some((known) => known.name === name)) {
      resources.push({ type: "Host::File", name });
    }
    // The others are the interpreter and the loader.
    if (exec) break;
  }
  return resources;
}

/** The name of the user or group a record is about, by the field with its number. */
function ownName(facts: Facts, key: string): string | undefined {
  if (facts.rule.subject === "user") return accountName(facts, key);
  const id = facts.primary.fields.get(key);
  return facts.primary.resolved?.get(key) ?? (id && facts.accounts?.group(id));
}
