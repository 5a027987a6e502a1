// Who acted, as CloudTrail's userIdentity, and the eventID. A step of normalize. What the source
// does not know is left out: there is never an invented name, and ARNs are made of names only.

import { Buffer } from "node:buffer";
import { hash } from "node:crypto";
import type { Actor, RoleActor, Session, UserActor } from "../../plugins/sdk/index.ts";
import type { AgentIdentity, Json, JsonObject, UserIdentity } from "../../plugins/sdk/index.ts";
import { formatEventTime } from "../../plugins/sdk/cloudtrail/event-time.ts";
import { uuidOf } from "../../plugins/sdk/derived-id.ts";
import { localArn, type Place } from "./arn.ts";
import { truncate } from "./truncate.ts";

/** A userIdentity being made: members are added in order, which costs half of spreading them. */
type Identity = { -readonly [K in keyof UserIdentity]: UserIdentity[K] };

/** Longest name written to userIdentity, in bytes: the limit of CloudTrail's own text fields. */
const NAME_BYTES_MAX = 1024;
/** How many accounts acting as one another are followed to the first of them. */
const CHAIN_MAX = 16;

/** The userIdentity of an actor. Members stand in the order of CloudTrail's samples. */
export function userIdentity(actor: Actor, place: Place): UserIdentity {
  switch (actor.type) {
    case "root":
      return root(actor.session, place.agent);
    case "user":
      return actor.federation === undefined ? localUser(actor, place) : federatedUser(actor);
    case "role":
      return assumedRole(actor, place);
    case "service":
      return { type: "AWSService", invokedBy: serviceHost(actor.name, place.agent) };
    case "account":
      return { type: "AWSAccount", accountId: cut(actor.accountId) };
    case "anonymous":
      return actor.id ? { type: "Unknown", principalId: cut(actor.id) } : { type: "Unknown" };
  }
}

/**
 * `<service>.<domain>`, lower case without spaces; the agent itself is `cairn.internal` whatever
 * the domain, so that its own records are found under one name everywhere.
 */
export function serviceHost(service: string, agent: AgentIdentity): string {
  if (service === "cairn") return "cairn.internal";
  if (/^[a-z0-9][a-z0-9._-]{0,127}$/.test(service)) return `${service}.${agent.domain}`;
  // Letters of other scripts and the like become hyphens, and the strict check wants a first
  // letter.
  const name = service.toLowerCase().replace(/[^a-z0-9._-]+/g, "-").replace(/^[._-]+/, "");
  return `${name.slice(0, 128) || "unknown"}.${agent.domain}`;
}

/** The derived id of bytes that carry no id of their own. */
export function contentId(bytes: Uint8Array): string {
  return uuidOf(hash("sha256", Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), "hex"));
}

function root(session: Session | undefined, { accountId, partition }: AgentIdentity): UserIdentity {
  const identity: Identity = {
    type: "Root",
    principalId: accountId,
    arn: `arn:${partition}:iam::${accountId}:root`,
    accountId,
  };
  return inSession(identity, session);
}

function localUser(actor: UserActor, place: Place): UserIdentity {
  if (!actor.name && !actor.id) return { type: "Unknown" };
  const identity: Identity = { type: "IAMUser", principalId: cut(actor.id || actor.name || "") };
  const name = actor.name && cut(actor.name);
  if (name) identity.arn = localArn(place, "iam", "user", name);
  identity.accountId = place.agent.accountId;
  if (name) identity.userName = name;
  return inSession(identity, actor.session);
}

function federatedUser(actor: UserActor): UserIdentity {
  const provider = cut(actor.federation!.provider);
  const subject = actor.id || actor.name;
  const identity: Identity = {
    type: actor.federation!.protocol === "saml" ? "SAMLUser" : "WebIdentityUser",
  };
  if (subject) identity.principalId = `${provider}:${cut(subject)}`;
  if (actor.name) identity.userName = cut(actor.name);
  identity.identityProvider = provider;
  return inSession(identity, actor.session);
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
  const roleId = actor.id ? cut(actor.id) : role;
  const identity: Identity = {
    type: "AssumedRole",
    principalId: sessionId === undefined ? roleId : `${roleId}:${sessionId}`,
  };
  if (session !== undefined) identity.arn = localArn(place, "sts", "assumed-role", role, session);
  identity.accountId = accountId;
  const context: Record<string, Json> = {
    sessionIssuer: {
      type: "Role",
      principalId: roleId,
      arn: localArn(place, "iam", "role", role),
      accountId,
      userName: role,
    },
  };
  const known = attributes(actor.session);
  if (known !== undefined) context.attributes = known;
  const first = actor.assumedBy.type === "role" ? firstName(actor.assumedBy) : session;
  if (first !== undefined) context.sourceIdentity = first;
  identity.sessionContext = context;
  return identity;
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
  const { createdAt, mfa } = session;
  const creationDate = createdAt !== undefined && isMoment(createdAt)
    ? formatEventTime(createdAt)
    : undefined;
  if (mfa === undefined) return creationDate === undefined ? undefined : { creationDate };
  // Text, as CloudTrail writes it.
  const mfaAuthenticated = String(mfa);
  return creationDate === undefined ? { mfaAuthenticated } : { creationDate, mfaAuthenticated };
}

/** Whether CloudTrail can write a moment: milliseconds since 1970, before the year 10000. */
export function isMoment(ms: number): boolean {
  return ms >= 0 && ms < 253_402_300_800_000;
}

/** Adds the session's context, where anything is known of it. */
function inSession(identity: Identity, session: Session | undefined): UserIdentity {
  const known = attributes(session);
  if (known !== undefined) identity.sessionContext = { attributes: known };
  return identity;
}

function cut(name: string): string {
  return truncate(name, NAME_BYTES_MAX);
}
