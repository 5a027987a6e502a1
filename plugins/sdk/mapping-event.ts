// The parts of an event that a mapping describes with more than one value: actor, outcome, origin and
// resources. Each schema's output is a function that makes the part from a frame.

import { isIP } from "node:net";
import { z } from "zod";
import { RejectedInput } from "./errors.ts";
import type { Actor, Origin, Outcome, Resource, Session } from "./event.ts";
import type { Json } from "./json.ts";
import type { Path, Scope } from "./mapping-path.ts";
import { textOf, type Value, value } from "./mapping-value.ts";

/** Makes one part of an event. `copied` are the paths whose text it hands on unchanged. */
export interface Part<T> {
  readonly read: (scope: Scope) => T;
  readonly copied: readonly Path[];
}

const text = value.optional();

/** The text of an optional value. */
export function textAt(from: Value | undefined, scope: Scope): string | undefined {
  return from === undefined ? undefined : textOf(from.read(scope));
}

const actorFields = {
  type: text.describe("user (default), root, service, account or anonymous"),
  name: text,
  id: text,
  account_id: text,
  session: z.strictObject({ id: text, mfa: text, created_at: text }).optional()
    .describe("The login session"),
  federation: z.strictObject({
    protocol: z.enum(["saml", "oidc"]).describe("How the other vouches"),
    provider: value,
  }).optional().describe("Who else vouches for the user"),
};
const plainActor = z.strictObject(actorFields);
const fullActor = z.strictObject({
  ...actorFields,
  assumed_by: plainActor.optional().describe("Who acts as this role"),
});
type ActorFields = z.output<typeof fullActor>;

const ACTOR_TYPES = ["user", "role", "root", "service", "account", "anonymous"];

/** Option: who acted. Without `assumed_by` there is no role; an actor without a name is unknown. */
export const actor = fullActor.transform((fields, ctx): Part<Actor> => {
  const fixed = fields.type?.constant;
  if (fixed !== undefined && !ACTOR_TYPES.includes(String(fixed))) {
    const message = `Expected one of ${ACTOR_TYPES.join(", ")}`;
    ctx.issues.push({ code: "custom", input: fixed, path: ["type"], message });
  }
  const copied = fields.type === undefined && fields.assumed_by === undefined
    ? pathsOf([fields.name, fields.id])
    : [];
  return { read: (scope) => actorOf(fields, scope), copied };
});

function actorOf(fields: ActorFields, scope: Scope): Actor {
  const type = textAt(fields.type, scope) ?? (fields.assumed_by === undefined ? "user" : "role");
  const name = textAt(fields.name, scope);
  const id = textAt(fields.id, scope);
  switch (type) {
    case "user":
      return userOf(fields, scope, name, id);
    case "role": {
      const assumedBy = actorOf(fields.assumed_by ?? {}, scope);
      if (name === undefined) return assumedBy;
      return { type: "role", name, ...keep({ id, session: sessionOf(fields, scope) }), assumedBy };
    }
    case "root":
      return { type: "root", ...keep({ session: sessionOf(fields, scope) }) };
    case "service":
      return name === undefined ? { type: "user" } : { type: "service", name };
    case "account": {
      const accountId = textAt(fields.account_id, scope) ?? id;
      return accountId === undefined ? { type: "user" } : { type: "account", accountId };
    }
    case "anonymous":
      return { type: "anonymous", ...keep({ id }) };
    default:
      throw new RejectedInput(`Unknown actor type "${type.slice(0, 64)}"`);
  }
}

function userOf(
  { federation, ...fields }: ActorFields,
  scope: Scope,
  name: string | undefined,
  id: string | undefined,
): Actor {
  const user = { type: "user", ...keep({ name, id, session: sessionOf(fields, scope) }) } as const;
  const provider = textAt(federation?.provider, scope);
  if (federation === undefined || provider === undefined) return user;
  return { ...user, federation: { protocol: federation.protocol, provider } };
}

function sessionOf({ session }: ActorFields, scope: Scope): Session | undefined {
  if (session === undefined) return undefined;
  const id = textAt(session.id, scope);
  const created = session.created_at?.read(scope);
  const createdAt = typeof created === "number" ? created : Date.parse(textOf(created) ?? "");
  const mfa = booleanOf(session.mfa?.read(scope));
  const all = keep({ id, createdAt: Number.isFinite(createdAt) ? createdAt : undefined, mfa });
  return Object.keys(all).length === 0 ? undefined : all;
}

/** Option: how it ended. Without any of it, or without a code, it went well. */
export const outcome = z.strictObject({ success: text, code: text, message: text })
  .transform((fields): Part<Outcome> => ({
    copied: [],
    read(scope) {
      const said = fields.success?.read(scope);
      const code = textAt(fields.code, scope);
      const success = said === undefined ? code === undefined : booleanOf(said);
      if (success === undefined) {
        throw new RejectedInput(`Cannot tell success from ${JSON.stringify(said).slice(0, 64)}`);
      }
      if (success) return { success };
      const message = textAt(fields.message, scope);
      return { success, code: failureCode(code), ...keep({ message }) };
    },
  }));

function failureCode(code: string | undefined): string {
  if (code === undefined) return "Failure";
  return /^E[A-Z0-9]+$/.test(code) ? code : pascalCase(code);
}

const YES = new Set(["true", "yes", "1", "ok", "success", "succeeded", "allowed", "granted"]);
const NO = new Set(["false", "no", "0", "fail", "failed", "failure", "error", "denied"]);

/** True or false, also as one of the usual words; undefined for anything else. */
export function booleanOf(found: Json | undefined): boolean | undefined {
  if (typeof found === "boolean") return found;
  const word = textOf(found)?.toLowerCase();
  if (word === undefined) return undefined;
  return YES.has(word) ? true : NO.has(word) ? false : undefined;
}

/** Option: where it came from. */
export const origin = z.strictObject({
  address: text,
  port: text,
  host: text,
  user_agent: text,
  tls: z.strictObject({ version: text, cipher_suite: text, server_name: text }).optional()
    .describe("The connection's TLS"),
}).transform((fields): Part<Origin | undefined> => ({
  copied: pathsOf([fields.user_agent]),
  read(scope) {
    const found = textAt(fields.address, scope);
    const endpoint = found === undefined ? {} : endpointOf(found);
    const port = Number(textAt(fields.port, scope) ?? endpoint.port ?? Number.NaN);
    const tls = fields.tls && keep({
      version: textAt(fields.tls.version, scope),
      cipherSuite: textAt(fields.tls.cipher_suite, scope),
      serverName: textAt(fields.tls.server_name, scope),
    });
    const all = keep({
      address: endpoint.address,
      port: Number.isInteger(port) && port > 0 && port < 65_536 ? port : undefined,
      host: textAt(fields.host, scope) ?? endpoint.host,
      userAgent: textAt(fields.user_agent, scope),
      tls: tls && Object.keys(tls).length > 0 ? tls : undefined,
    });
    return Object.keys(all).length === 0 ? undefined : all;
  },
}));

/** A peer: an IP address, or the name of a host. */
export interface Endpoint {
  readonly address?: string;
  readonly port?: string;
  readonly host?: string;
}

/** An address as sources write it: alone, with a port, in brackets, or in truth a host's name. */
export function endpointOf(found: string): Endpoint {
  if (isIP(found) !== 0) return { address: found };
  const match = /^\[?([0-9a-fA-F:.]{2,45})\]?:(\d{1,5})$/.exec(found);
  if (match !== null && isIP(match[1]!) !== 0) return { address: match[1]!, port: match[2]! };
  return { host: found };
}

/** Option: what was acted on. An entry without a name is left out. */
export const resources = z.array(
  z.strictObject({ type: value, name: value, arn: text, account_id: text }),
).transform((list): Part<readonly Resource[] | undefined> => ({
  copied: list.flatMap(({ type, name }) => type.constant === undefined ? [] : pathsOf([name])),
  read(scope) {
    const found: Resource[] = [];
    for (const fields of list) {
      const type = textAt(fields.type, scope);
      const name = textAt(fields.name, scope);
      if (type === undefined || name === undefined) continue;
      const arn = textAt(fields.arn, scope);
      found.push({ type, name, ...keep({ arn, accountId: textAt(fields.account_id, scope) }) });
    }
    return found.length === 0 ? undefined : found;
  },
}));

/** `user.login`, `USER_LOGIN` or `user login` as AWS would write it: `UserLogin`. */
export function pascalCase(words: string): string {
  if (/^[A-Z][A-Za-z0-9]*[a-z][A-Za-z0-9]*$/.test(words)) return words;
  let joined = "";
  for (const word of words.split(/[^\p{L}\p{N}]+/u)) {
    const rest = word.slice(1);
    joined += word.slice(0, 1).toUpperCase();
    joined += word === word.toUpperCase() ? rest.toLowerCase() : rest;
  }
  return joined;
}

/** The paths among optional values that are nothing but a path. */
export function pathsOf(values: readonly (Value | undefined)[]): Path[] {
  return values.flatMap((one) => one?.path === undefined ? [] : [one.path]);
}

/** The members that are there. */
function keep<T extends object>(all: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const kept: { [K in keyof T]?: Exclude<T[K], undefined> } = {};
  for (const key in all) {
    if (all[key] !== undefined) kept[key] = all[key] as Exclude<T[typeof key], undefined>;
  }
  return kept;
}
