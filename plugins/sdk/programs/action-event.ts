// The parts that every program's event is put together from: its frame, accounts, addresses.

import { isIP } from "node:net";
import type { Actor, AuditEvent, EventCategory, Origin, Outcome, Resource } from "../event.ts";
import type { Json, JsonObject } from "../json.ts";
import type { ProgramMessage } from "./program-message.ts";

/** While it is being made: members added one by one cost a fraction of conditional spreads. */
type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** What a parser found in a message; what it leaves out has the usual value. */
export interface Action {
  readonly service: string;
  readonly action: string;
  readonly actor: Actor;
  /** Code of a failure; without it the action went well. */
  readonly failure?: string;
  /** What the program said about the failure. */
  readonly reason?: string;
  readonly origin?: Origin | undefined;
  readonly resources?: readonly Resource[];
  readonly request?: JsonObject;
  readonly response?: JsonObject;
  /** False where not said. */
  readonly readOnly?: boolean;
  /** Management where not said. */
  readonly category?: EventCategory;
}

const SUCCESS: Outcome = { success: true };

/** The event of an action; the message's own words and process go along as additional facts. */
export function actionEvent(message: ProgramMessage, action: Action): AuditEvent {
  const additional: Record<string, Json> = { message: message.text };
  if (message.pid !== undefined) additional.processId = message.pid;
  if (message.unit !== undefined) additional.unit = message.unit;
  const event: Writable<AuditEvent> = {
    id: message.id,
    time: message.time,
    service: action.service,
    action: action.action,
    actor: action.actor,
    outcome: action.failure === undefined ? SUCCESS : failed(action.failure, action.reason),
    readOnly: action.readOnly ?? false,
    category: action.category ?? "Management",
    additional,
  };
  if (message.host !== undefined) event.host = message.host;
  if (action.origin !== undefined) event.origin = action.origin;
  if (action.resources !== undefined && action.resources.length > 0) {
    event.resources = action.resources;
  }
  if (action.request !== undefined) event.request = action.request;
  if (action.response !== undefined) event.response = action.response;
  return event;
}

function failed(code: string, message: string | undefined): Outcome {
  return message === undefined ? { success: false, code } : { success: false, code, message };
}

/** An account by its name, or by its number where there is no name. */
export function account(name: string | undefined, id?: string): Actor {
  if (name === "root" || id === "0") return { type: "root" };
  const user: { type: "user"; name?: string; id?: string } = { type: "user" };
  if (name !== undefined && name !== "") user.name = name;
  if (id !== undefined && id !== "") user.id = id;
  return user;
}

/** One account acting as another; as itself where both are the same. */
export function assumed(name: string, by: Actor, id?: string): Actor {
  return id === undefined
    ? { type: "role", name, assumedBy: by }
    : { type: "role", name, id, assumedBy: by };
}

const UNSET_UID = "4294967295";

/**
 * Who the sending process acted for, as far as the transport vouches for it: the journal knows its
 * uid and the uid that logged in. Unknown (a user without name) where it says nothing.
 */
export function processActor(message: ProgramMessage): Actor {
  const { uid, fields } = message;
  const login = fields?._AUDIT_LOGINUID;
  if (login === undefined || login === UNSET_UID || login === uid) return account(undefined, uid);
  const session = fields?._AUDIT_SESSION;
  const by: Actor = login === "0"
    ? { type: "root" }
    : session === undefined
    ? { type: "user", id: login }
    : { type: "user", id: login, session: { id: session } };
  return uid === undefined ? by : assumed(uid === "0" ? "root" : uid, by, uid);
}

/** An address or host name, with the port where there is one; undefined for neither. */
export function originAt(address: string | undefined, port?: string): Origin | undefined {
  if (address === undefined || address === "" || address === "?") return undefined;
  const origin: Writable<Origin> = {};
  // IPv4 on an IPv6 socket is that IPv4 address to everybody else.
  const plain = address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address;
  if (isIP(plain) !== 0) origin.address = plain;
  else origin.host = address;
  const number = Number(port);
  if (number > 0 && number < 65_536) origin.port = number;
  return origin;
}

/** The account as a thing that was acted on. */
export function userResource(name: string): Resource {
  return { type: "IAM::User", name };
}

/** The group as a thing that was acted on. */
export function groupResource(name: string): Resource {
  return { type: "IAM::Group", name };
}
