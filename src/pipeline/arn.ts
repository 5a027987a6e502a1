// Names in the agent's own ARNs. The partition keeps them apart from AWS's; the host stands where
// IAM has a path, so that `alice` on two machines has two ARNs. Used by identity and normalize.

import { Buffer } from "node:buffer";
import type { AgentIdentity, Resource } from "../../plugins/sdk/index.ts";

/** Who the agent is and which machine is meant: what an ARN is made with. */
export interface Place {
  readonly agent: AgentIdentity;
  /** Machine the action happened on. */
  readonly host: string;
}

/**
 * `arn:<partition>:<service>:<region>:<account>:<kind>/<host>/<name>…`. Names are escaped, so a
 * split by `:` or `/` always finds the same parts.
 */
export function localArn(place: Place, service: string, kind: string, ...names: string[]): string {
  const { partition, region, accountId } = place.agent;
  const where = service === "iam" || service === "sts" ? "" : region;
  let arn = `arn:${partition}:${service}:${where}:${accountId}:${kind}/${escapeName(place.host)}`;
  for (const name of names) arn += `/${escapeName(name)}`;
  return arn;
}

/** The ARN of a resource: its own, or one made of its type and name. A path keeps its slashes. */
export function resourceArn(resource: Resource, place: Place): string {
  if (resource.arn !== undefined) return resource.arn;
  const [service = "", ...kind] = resource.type.split("::");
  const path = resource.name.startsWith("/") ? resource.name.slice(1) : resource.name;
  const owner = resource.accountId === undefined
    ? place
    : { ...place, agent: { ...place.agent, accountId: resource.accountId } };
  const kindName = escapeName(kind.join("-").toLowerCase());
  return localArn(owner, escapeName(service.toLowerCase()), kindName, ...path.split("/"));
}

/**
 * A name with all but IAM's own characters for names (`A-Za-z0-9+=,.@_-`) written as `%XX` of
 * UTF-8.
 */
export function escapeName(name: string): string {
  if (/^[\w+=,.@-]*$/.test(name)) return name;
  let escaped = "";
  for (const byte of Buffer.from(name, "utf8")) {
    const char = String.fromCharCode(byte);
    escaped += /[\w+=,.@-]/.test(char)
      ? char
      : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return escaped;
}
