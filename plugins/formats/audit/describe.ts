// The records of one event to one AuditEvent: the last step of the format. What each part is made
// of is in README.md; nothing a record holds is left out of the event.

import type { AuditEvent, EventCategory, Origin } from "../../sdk/event.ts";
import type { Json, JsonObject } from "../../sdk/json.ts";
import { actorOf, isLogin } from "./actor.ts";
import { ARGUMENT, argumentsOf } from "./argv.ts";
import { callRule } from "./calls.ts";
import { factsOf, field } from "./facts.ts";
import type { Facts, Known } from "./facts.ts";
import type { Members } from "./members.ts";
import { outcomeOf } from "./outcome.ts";
import type { AuditRecord } from "./parse.ts";
import { pathsOf } from "./paths.ts";
import type { AuditPath } from "./paths.ts";
import { refinedAction } from "./refine.ts";
import { resourcesOf } from "./resources.ts";
import type { LoginSession } from "./sessions.ts";
import { decodeSocketAddress } from "./sockaddr.ts";
import type { SocketAddress } from "./sockaddr.ts";
import { architectureName } from "./syscalls.ts";
import type { SyscallNames } from "./syscalls.ts";

type Names = Pick<ReadonlySet<string>, "has">;
/** While it is being made: members added one by one cost a fraction of conditional spreads. */
type Writable<T> = { -readonly [K in keyof T]: T[K] };

// Fields that have a place of their own in the event.
const PLACED: ReadonlySet<string> = new Set([
  "acct",
  "addr",
  "cmd",
  "cwd",
  "hostname",
  "key",
  "op",
  "proctitle",
  "recordType",
  "res",
  "result",
  "ses",
  "success",
  "unit",
]);

// The program, where an old one does not name itself.
const FALLBACK: ReadonlyMap<string, string> = new Map([["LOGIN", "kernel"], ["USER_CMD", "sudo"]]);

/** Everything the parts of one event are made from. */
export interface Described {
  readonly facts: Facts;
  /** Name of the system call, where the event is about one or came with one. */
  readonly call: string | undefined;
  readonly paths: readonly AuditPath[];
  readonly socket: SocketAddress | undefined;
  /** Action, read-only, category; of the call where that names the event. */
  readonly action: string;
  readonly readOnly: boolean;
  readonly category: EventCategory;
}

/** What an event is described with. */
export interface Describing extends Known {
  readonly names: SyscallNames;
  /** Makes the event's objects. */
  readonly members: Members;
}

/** Describes a complete group; what it tells of its login session is kept for later ones. */
export function describeEvent(records: readonly AuditRecord[], using: Describing): AuditEvent {
  const { names, members } = using;
  const facts = factsOf(records, using);
  const { primary, rule } = facts;
  const described = lookAt(facts, names);
  const event: Writable<AuditEvent> = {
    id: primary.id,
    time: primary.time,
    service: rule.service ?? facts.program ?? FALLBACK.get(primary.type) ?? "audit",
    action: described.action,
    actor: actorOf(facts),
    outcome: outcomeOf(facts),
    readOnly: described.readOnly,
    category: described.category,
    additional: additionalOf(described, members),
  };
  if (primary.node !== "") event.host = primary.node;
  const origin = originOf(described);
  if (origin !== undefined) event.origin = origin;
  if (isLogin(facts) && event.outcome.success) learnSession(facts, event, using);
  const resources = resourcesOf(described);
  if (resources.length > 0) event.resources = resources;
  const request = requestOf(described);
  if (request !== undefined) event.request = request;
  return event;
}

function lookAt(facts: Facts, names: SyscallNames): Described {
  const { primary, rule } = facts;
  const caller = facts.call ?? primary;
  const call = names.name(caller.fields.get("arch"), caller.fields.get("syscall")) ??
    caller.resolved?.get("syscall") ?? wordy(caller.fields.get("syscall"));
  const paths = pathsOf(facts, call);
  const socket = decodeSocketAddress(facts.socket?.fields.get("saddr"));
  if (primary.type === "SYSCALL" && call !== undefined) {
    const flags = primary.fields.get(call === "open" ? "a1" : call === "openat" ? "a2" : "");
    const created = paths.some((path) => path.nametype === "CREATE");
    const { action, readOnly, category } = callRule(call, flags, created);
    return { facts, call, paths, socket, action, readOnly, category };
  }
  const { readOnly, category } = rule;
  return { facts, call, paths, socket, action: refinedAction(facts, call), readOnly, category };
}

/** A call that was written by name already. */
function wordy(syscall: string | undefined): string | undefined {
  return syscall !== undefined && /^[a-z_]\w{0,63}$/.test(syscall) ? syscall : undefined;
}

function originOf({ facts, call, socket }: Described): Origin | undefined {
  const addr = facts.primary.fields.get("addr");
  const hostname = facts.primary.fields.get("hostname");
  const port = Number(facts.primary.fields.get("rport"));
  const exe = field(facts, "exe");
  const peer = call === "accept" || call === "accept4" ? socket : undefined;
  const address = isAddress(addr) ? addr : isAddress(hostname) ? hostname : peer?.address;
  const host = hostname !== undefined && hostname !== address ? hostname : undefined;
  if (address === undefined && host === undefined && facts.session !== undefined) {
    return sessionOrigin(facts.session, exe);
  }
  if (address === undefined && host === undefined && exe === undefined) return undefined;
  const origin: Writable<Origin> = {};
  if (address !== undefined) origin.address = address;
  if (port > 0 && port < 65_536) origin.port = port;
  else if (peer?.port) origin.port = peer.port;
  if (host !== undefined) origin.host = host;
  if (exe !== undefined) origin.userAgent = exe;
  return origin;
}

/** Where the login came from that the action is done under. */
function sessionOrigin(session: LoginSession, exe: string | undefined): Origin | undefined {
  const { address, host } = session;
  if (address === undefined && host === undefined && exe === undefined) return undefined;
  const origin: Writable<Origin> = {};
  if (address !== undefined) origin.address = address;
  if (host !== undefined) origin.host = host;
  if (exe !== undefined) origin.userAgent = exe;
  return origin;
}

function learnSession(facts: Facts, event: AuditEvent, { sessions }: Known): void {
  const { primary, auid, ses } = facts;
  if (auid === undefined || ses === undefined) return;
  sessions.learn(primary, ses, auid, event.actor, event.origin);
}

function isAddress(text: string | undefined): text is string {
  return text !== undefined && /^(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f]*:[0-9a-f:.]+)$/i.test(text);
}

function requestOf({ facts, paths, socket }: Described): JsonObject | undefined {
  const request: Record<string, Json> = {};
  const { fields } = facts.primary;
  // By name, and so few: a loop over a table costs more than all the rest of this.
  const account = fields.get("acct");
  if (account !== undefined) request.account = account;
  const operation = fields.get("op");
  if (operation !== undefined) request.operation = operation;
  const command = fields.get("cmd");
  if (command !== undefined) request.command = command;
  const unit = fields.get("unit");
  if (unit !== undefined) request.unit = unit;
  if (facts.execve !== undefined) {
    const words = argumentsOf(facts.records);
    if (words.length > 0) request.arguments = words;
    // Says so where records were lost, or the list was too long for the log.
    const argc = facts.execve.fields.get("argc");
    if (argc !== undefined && argc !== String(words.length)) request.argumentCount = argc;
  }
  const cwd = fields.get("cwd") ?? facts.cwd?.fields.get("cwd");
  if (cwd !== undefined) request.workingDirectory = cwd;
  if (socket !== undefined && socket.family !== "netlink") request.socket = { ...socket };
  const names: string[] = [];
  for (const { name, nametype } of paths) if (name && nametype !== "PARENT") names.push(name);
  if (names.length > 0) request.paths = names;
  for (const _ in request) return request;
  return undefined;
}

function additionalOf({ facts, call, paths }: Described, members: Members): JsonObject {
  const { primary, others, socket } = facts;
  const files = paths.map(({ record }) => record.fields.plain ??= plain(record, members));
  // The address in its own words, too: not every family is decoded.
  const rest = socket === undefined || socket === primary ? others : [socket, ...others];
  const records = rest.map((record) => plain(record, members, record.type));
  copyResolved(members, primary);
  if (facts.call !== undefined && facts.call !== primary) {
    copyResolved(members, facts.call, primary.resolved);
  }
  const resolved = members.take();

  members.add("recordType", primary.type);
  copyFields(members, primary);
  if (facts.call !== undefined && facts.call !== primary) {
    copyFields(members, facts.call, primary.fields);
  }
  const arch = field(facts, "arch");
  if (arch !== undefined) members.set("arch", architectureName(arch) ?? arch);
  if (call !== undefined) members.set("syscall", call);
  // Rules give several keys to one event, joined by a byte 1.
  const key = field(facts, "key");
  if (key !== undefined) members.set("keys", key.split("\x01"));
  const title = facts.title?.fields.get("proctitle");
  if (title !== undefined) members.set("processTitle", title.replaceAll("\0", " "));
  if (files.length > 0) members.set("paths", files);
  if (resolved !== undefined) members.set("resolved", resolved);
  if (records.length > 0) members.set("records", records);
  return members.take() ?? {};
}

/** Adds the fields of a record that have no other place and that no record before it has. */
function copyFields(into: Members, record: AuditRecord, before?: Names): void {
  const { names, values } = record.fields;
  for (const i of names.copied ??= copiedFields(record.type, names.list)) {
    const value = values[i];
    if (value === undefined || before?.has(names.list[i]!)) continue;
    into.add(names.list[i]!, value);
  }
}

/** Where the names stand that have no other place. */
function copiedFields(type: string, names: readonly string[]): number[] {
  const copied: number[] = [];
  for (const [i, name] of names.entries()) {
    if (!PLACED.has(name) && !(type === "EXECVE" && ARGUMENT.test(name))) copied.push(i);
  }
  return copied;
}

function copyResolved(into: Members, record: AuditRecord, before?: Names): void {
  if (record.resolved === undefined) return;
  for (const [key, value] of record.resolved) {
    // These two replace the numbers themselves.
    if (key !== "arch" && key !== "syscall" && !before?.has(key)) into.add(key, value);
  }
}

/** A record's fields as an object, without capabilities that are all zero. */
function plain(record: AuditRecord, members: Members, type?: string): JsonObject {
  copyResolved(members, record);
  const resolved = members.take();
  if (type !== undefined) members.add("recordType", type);
  const { names, values } = record.fields;
  for (let i = 0; i < values.length; i++) {
    const key = names.list[i]!;
    const value = values[i];
    if (value === undefined || (key.startsWith("cap_") && /^0+$/.test(value))) continue;
    if (key === "recordType" && type !== undefined) members.set(key, value);
    else members.add(key, value);
  }
  if (record.resolved !== undefined) members.set("resolved", resolved ?? {});
  return members.take() ?? {};
}
