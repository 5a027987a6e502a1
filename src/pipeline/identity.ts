// Who acted, as CloudTrail's userIdentity, and the eventID. A step of normalize. What the source does
// not know is left out: there is never an invented name, and ARNs are made of names only.

import { Buffer } from "node:buffer";
import { hash } from "node:crypto";
import type { Actor, RoleActor, Session, UserActor } from "../../plugins/sdk/index.ts";
import type { AgentIdentity, JsonObject, UserIdentity } from "../../plugins/sdk/index.ts";
import { formatEventTime } from "../../plugins/sdk/cloudtrail/event-time.ts";
import { localArn, type Place } from "./arn.ts";
import { truncate } from "./truncate.ts";

/** Longest name written to userIdentity, in bytes: the limit of CloudTrail's own text fields. */
const NAME_BYTES_MAX = 1024;
/** How many accounts acting as one another are followed to the first of them. */
const CHAIN_MAX = 16;

/** The userIdentity of an actor. Members stand in the order of CloudTrail's samples. */
export function userIdentity(actor: Actor, place: Place): UserIdentity {
  const { accountId, partition } = place.agent;
  switch (actor.type) {
    case "root":
      return {
        type: "Root",
        principalId: accountId,
        arn: `arn:${partition}:iam::${accountId}:root`,
        accountId,
        ...context({ attributes: attributes(actor.session) }),
      };
    case "user":
      return actor.federation === undefined ? localUser(actor, place) : federatedUser(actor);
    case "role":
      return assumedRole(actor, place);
    case "service":
      return { type: "AWSService", invokedBy: serviceHost(actor.name, place.agent) };
    case "account":
      return { type: "AWSAccount", accountId: cut(actor.accountId) };
    case "anonymous":
      return { type: "Unknown", ...(actor.id ? { principalId: cut(actor.id) } : {}) };
  }
}

/**
 * `<service>.<domain>`, lower case without spaces; the agent itself is `cairn.internal` whatever the
 * domain, so that its own records are found under one name everywhere.
 */
export function serviceHost(service: string, agent: AgentIdentity): string {
  if (service === "cairn") return "cairn.internal";
  // Letters of other scripts and the like become hyphens, and the strict check wants a first letter.
  const name = service.toLowerCase().replace(/[^a-z0-9._-]+/g, "-").replace(/^[._-]+/, "");
  return `${name.slice(0, 128) || "unknown"}.${agent.domain}`;
}

/** An id in the form CloudTrail's eventID has (UUID version 8), the same for the same parts. */
export function derivedId(...parts: readonly string[]): string {
  return uuid(hash("sha256", JSON.stringify(parts), "hex"));
}

/** The derived id of bytes that carry no id of their own. */
export function contentId(bytes: Uint8Array): string {
  return uuid(hash("sha256", Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), "hex"));
}

function uuid(hex: string): string {
  const variant = "89ab"[parseInt(hex[16]!, 16) & 3]!;
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-` +
    `${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

function localUser(actor: UserActor, place: Place): UserIdentity {
  if (!actor.name && !actor.id) return { type: "Unknown" };
  const name = actor.name ? cut(actor.name) : undefined;
  return {
    type: "IAMUser",
    principalId: cut(actor.id || actor.name || ""),
    ...(name === undefined ? {} : { arn: localArn(place, "iam", "user", name) }),
    accountId: place.agent.accountId,
    ...(name === undefined ? {} : { userName: name }),
    ...context({ attributes: attributes(actor.session) }),
  };
}

function federatedUser(actor: UserActor): UserIdentity {
  const provider = cut(actor.federation!.provider);
  const subject = actor.id || actor.name;
  return {
    type: actor.federation!.protocol === "saml" ? "SAMLUser" : "WebIdentityUser",
    ...(subject ? { principalId: `${provider}:${cut(subject)}` } : {}),
    ...(actor.name ? { userName: cut(actor.name) } : {}),
    identityProvider: provider,
    ...context({ attributes: attributes(actor.session) }),
  };
}

/**
 * The acting account is the session, as in role chaining: `su` of a `sudo` is the session `root`,
 * while sourceIdentity stays the person who began. The ARN is
 * `assumed-role/<host>/<role>/<session>`: role and session are its last two parts, as in AWS's.
 */
function assumedRole(actor: RoleActor, place: Place): UserIdentity {
  const role = cut(actor.name);
  const { accountId } = place.agent;
  const session = nameOf(actor.assumedBy);
  const sessionId = session ?? idOf(actor.assumedBy);
  const roleId = cut(actor.id || actor.name);
  return {
    type: "AssumedRole",
    principalId: sessionId === undefined ? roleId : `${roleId}:${sessionId}`,
    ...(session === undefined
      ? {}
      : { arn: localArn(place, "sts", "assumed-role", role, session) }),
    accountId,
    ...context({
      sessionIssuer: {
        type: "Role",
        principalId: roleId,
        arn: localArn(place, "iam", "role", role),
        accountId,
        userName: role,
      },
      attributes: attributes(actor.session),
      sourceIdentity: firstName(actor),
    }),
  };
}

/** The name of whoever began the chain. */
function firstName(actor: RoleActor): string | undefined {
  let at: Actor = actor;
  for (let i = 0; i < CHAIN_MAX && at.type === "role"; i++) at = at.assumedBy;
  return nameOf(at);
}

function nameOf(actor: Actor): string | undefined {
  switch (actor.type) {
    case "root":
      return "root";
    case "account":
      return cut(actor.accountId);
    case "anonymous":
      return undefined;
    default:
      return actor.name ? cut(actor.name) : undefined;
  }
}

function idOf(actor: Actor): string | undefined {
  return "id" in actor && actor.id ? cut(actor.id) : undefined;
}

function attributes(session: Session | undefined): JsonObject | undefined {
  if (session === undefined) return undefined;
  const known: Record<string, string> = {};
  const { createdAt, mfa } = session;
  if (createdAt !== undefined && isMoment(createdAt)) {
    known.creationDate = formatEventTime(createdAt);
  }
  // Text, as CloudTrail writes it.
  if (mfa !== undefined) known.mfaAuthenticated = String(mfa);
  return Object.keys(known).length > 0 ? known : undefined;
}

/** Whether CloudTrail can write a moment: milliseconds since 1970, before the year 10000. */
export function isMoment(ms: number): boolean {
  return ms >= 0 && ms < 253_402_300_800_000;
}

/** A sessionContext of those members that are known; nothing where none is. */
function context(members: JsonObject): Pick<UserIdentity, "sessionContext"> {
  const known = Object.entries(members).filter(([, value]) => value !== undefined);
  return known.length === 0 ? {} : { sessionContext: Object.fromEntries(known) };
}

function cut(name: string): string {
  return truncate(name, NAME_BYTES_MAX);
}
