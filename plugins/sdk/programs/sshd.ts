// sshd (and sshd-session, sshd-auth): logins, refused and broken-off logins, sessions. What a
// client says is in the lines, so names it made up are read greedily: whatever such a name holds, the
// address is the one that sshd itself wrote last.

import type { Actor, AuditEvent } from "../event.ts";
import { account, actionEvent, originAt, userResource } from "./action-event.ts";
import type { Ignored, ProgramMessage } from "./program-message.ts";

const CHATTER = "no action: sshd connection chatter";
const TOLD = "no action: told by another line of sshd";

type Parse = (message: ProgramMessage, text: string) => AuditEvent | string;

/** Describes a message of sshd. */
export function describeSshd(message: ProgramMessage, ignored: Ignored): AuditEvent | undefined {
  let text = message.text.trimEnd();
  if (text.startsWith("error: ")) text = text.slice(7);
  else if (text.startsWith("fatal: ")) text = text.slice(7);
  const space = text.indexOf(" ");
  const parse = BY_FIRST_WORD[space < 0 ? text : text.slice(0, space)];
  const found = parse === undefined ? CHATTER : parse(message, text);
  if (typeof found !== "string") return found;
  ignored(found);
  return undefined;
}

const ACCEPTED = /^Accepted (\S+) for (.+?) from (\S+) port (\d+)(?: ssh\d)?(?:: (.*))?$/;
// An account's name is what it is, but a certificate behind it holds what its owner likes.
const FAILED = /^Failed (\S+) for (.+?) from (\S+) port (\d+)(?: ssh\d)?(?:: (.*))?$/;
const FAILED_INVALID =
  /^Failed (\S+) for (?:invalid|illegal) user (.*) from (\S+) port (\d+)(?: ssh\d)?(?:: .*)?$/;
const INVALID = /^(?:Invalid|Illegal) user (.*) from (\S+?)(?: port (\d+))?$/;
const PAM_FAILURE = /^PAM: Authentication failure for (illegal user )?(.*) from (\S+)$/;
const NOT_ALLOWED = /^User (.*?)(?: from (\S+))? not allowed because (.+)$/;
const ATTEMPTS =
  /^maximum authentication attempts exceeded for (invalid user )?(.*) from (\S+) port (\d+)/;
// Broken off: by whom, at which address.
const ENDED =
  /^(Connection closed|Connection reset|Disconnected|Disconnecting)(?: by| from)? (?:(authenticating|invalid) user (.*) )?(\S+) port (\d+)(?:: (.*?))?(?: \[preauth\])?$/;
const LOGGED_OUT = /^Disconnected from user (\S+) (\S+) port (\d+)$/;
const ROOT_REFUSED = /^ROOT LOGIN REFUSED FROM (\S+)(?: port (\d+))?/;
const NEGOTIATE = /^Unable to negotiate with (\S+) port (\d+): ([^.]+)/;
const TIMEOUT = /^Timeout before authentication for (?:connection from )?(\S+)(?: port (\d+))?/;
const REFUSED = /^refused connect from \S+ \((\S+)\)$/;
const SESSION =
  /^(Starting|Close) session: (?:(shell|command|subsystem '[^']*'|forced-command \([^)]*\) '.*')(?: on (\S+))? for|user) (\S+) from (\S+) port (\d+) id \d+$/;
const CORRECT_KEY = /^Authentication tried for (\S+) with correct key but .*ip=([^,)\s]+)/;
const PEER = /(?:Connection from|from) (\S+) port (\d+)/;

const BY_FIRST_WORD: Readonly<Record<string, Parse>> = {
  __proto__: null as never,
  Accepted: (message, text) => {
    const match = ACCEPTED.exec(text);
    if (match === null) return CHATTER;
    const [, method = "", user = "", address, port, key] = match;
    return login(message, account(user), user, address, port, undefined, {
      request: { method, ...keyOf(key) },
    });
  },
  Failed: (message, text) => {
    const invalid = FAILED_INVALID.exec(text);
    const match = invalid ?? FAILED.exec(text);
    if (match === null) return CHATTER;
    const [, method = "", user = "", address, port, key] = match;
    // Every client begins with it, to learn which methods there are.
    if (method === "none") return CHATTER;
    const actor = who(user, invalid !== null);
    return login(message, actor, user, address, port, "AuthenticationFailed", {
      request: { method, ...keyOf(key) },
    });
  },
  "PAM:": (message, text) => {
    const match = PAM_FAILURE.exec(text);
    // Of an account that is none, a line of its own follows.
    if (match === null || match[1] !== undefined) return TOLD;
    const [, , user = "", address] = match;
    const method = "keyboard-interactive/pam";
    return login(message, account(user), user, address, undefined, "AuthenticationFailed", {
      request: { method },
    });
  },
  Invalid: invalidUser,
  Illegal: invalidUser,
  User: (message, text) => {
    const match = NOT_ALLOWED.exec(text);
    if (match === null) return CHATTER;
    const [, user = "", address, reason] = match;
    return login(message, account(user), user, address, undefined, "AccessDenied", { reason });
  },
  ROOT: (message, text) => {
    const match = ROOT_REFUSED.exec(text);
    if (match === null) return CHATTER;
    return login(message, { type: "root" }, "root", match[1], match[2], "AccessDenied");
  },
  maximum: (message, text) => {
    const match = ATTEMPTS.exec(text);
    if (match === null) return CHATTER;
    const [, invalid, user = "", address, port] = match;
    const actor = who(user, invalid !== undefined);
    return login(message, actor, user, address, port, "TooManyAuthenticationFailures");
  },
  Connection: ended,
  Disconnected: (message, text) => {
    const match = LOGGED_OUT.exec(text);
    if (match === null) return ended(message, text);
    const [, user = "", address, port] = match;
    return actionEvent(message, {
      service: "sshd",
      action: "UserLogout",
      actor: account(user),
      origin: originAt(address, port),
      resources: [userResource(user)],
      request: { userName: user },
    });
  },
  Disconnecting: ended,
  Received: () => TOLD,
  "input_userauth_request:": () => TOLD,
  Unable: (message, text) => {
    const match = NEGOTIATE.exec(text);
    return match === null ? CHATTER : broken(message, match, "NegotiationFailed", match[3]);
  },
  Timeout: (message, text) => {
    const match = TIMEOUT.exec(text);
    return match === null ? CHATTER : broken(message, match, "AuthenticationTimeout");
  },
  refused: (message, text) => {
    const match = REFUSED.exec(text);
    return match === null ? CHATTER : broken(message, match, "AccessDenied");
  },
  Bad: protocolError,
  Protocol: protocolError,
  Magic: protocolError,
  banner: protocolError,
  "ssh_dispatch_run_fatal:": protocolError,
  Starting: session,
  Close: session,
  Authentication: (message, text) => {
    const match = CORRECT_KEY.exec(text);
    if (match === null) return CHATTER;
    const user = match[1]!;
    return login(message, account(user), user, match[2], undefined, "AccessDenied");
  },
};

function invalidUser(message: ProgramMessage, text: string): AuditEvent | string {
  const match = INVALID.exec(text);
  if (match === null) return CHATTER;
  const [, user = "", address, port] = match;
  return login(message, who(user, true), user, address, port, "UnknownUser");
}

/** A connection that ended before its login was through; after it, the end is no action. */
function ended(message: ProgramMessage, text: string): AuditEvent | string {
  const match = ENDED.exec(text);
  if (match === null) return CHATTER;
  const [, how = "", state, user = "", address, port, reason] = match;
  if (state === undefined && !text.endsWith(" [preauth]")) return CHATTER;
  const code = how.startsWith("Connection") ? how.replace(" c", "C").replace(" r", "R") : how;
  const failure = reason?.startsWith("Too many authentication failures")
    ? "TooManyAuthenticationFailures"
    : code === "Disconnecting"
    ? "Disconnected"
    : code;
  if (state === undefined) return broken(message, ["", address!, port!], failure, reason);
  return login(message, who(user, state === "invalid"), user, address, port, failure, said(reason));
}

function protocolError(message: ProgramMessage, text: string): AuditEvent | string {
  const match = PEER.exec(text);
  return match === null ? CHATTER : broken(message, match, "ProtocolError");
}

function session(message: ProgramMessage, text: string): AuditEvent | string {
  const match = SESSION.exec(text);
  if (match === null) return CHATTER;
  const [, verb, kind, terminal, user = "", address, port] = match;
  const request: Record<string, string> = { userName: user };
  if (kind !== undefined) request.kind = kind;
  if (terminal !== undefined) request.terminal = terminal;
  return actionEvent(message, {
    service: "sshd",
    action: verb === "Starting" ? "StartSession" : "EndSession",
    actor: account(user),
    origin: originAt(address, port),
    resources: [userResource(user)],
    request,
  });
}

/** A login that came to nothing before anybody said who they are. */
function broken(
  message: ProgramMessage,
  [, address, port]: readonly string[],
  failure: string,
  reason?: string,
): AuditEvent {
  return login(message, { type: "anonymous" }, undefined, address, port, failure, said(reason));
}

function said(reason: string | undefined): More {
  return reason === undefined ? {} : { reason };
}

/** What else a line tells of a login. */
interface More {
  readonly reason?: string;
  readonly request?: Readonly<Record<string, string>>;
}

function login(
  message: ProgramMessage,
  actor: Actor,
  user: string | undefined,
  address: string | undefined,
  port: string | undefined,
  failure?: string,
  more: More = {},
): AuditEvent {
  const named = user !== undefined && user !== "";
  const request = named ? { userName: user, ...more.request } : more.request;
  return actionEvent(message, {
    service: "sshd",
    action: "UserLogin",
    actor,
    ...(failure === undefined ? {} : { failure }),
    ...(more.reason === undefined ? {} : { reason: more.reason }),
    origin: originAt(address, port),
    ...(named && actor.type !== "anonymous" ? { resources: [userResource(user)] } : {}),
    ...(request === undefined ? {} : { request }),
  });
}

/** An account that sshd does not know is nobody's: its name is only what the client said. */
function who(user: string, invalid: boolean): Actor {
  if (!invalid) return account(user);
  return user === "" ? { type: "anonymous" } : { type: "anonymous", id: user };
}

/** `RSA SHA256:abc`, `ED25519-CERT SHA256:abc ID name (serial 7) CA RSA SHA256:def`. */
function keyOf(key: string | undefined): Record<string, string> {
  const match = /^(\S+) ((?:SHA256|MD5):\S+)(?: ID (.*) \(serial (\d+)\) CA (\S+ \S+))?$/.exec(
    key ?? "",
  );
  if (match === null) return {};
  const [, keyType = "", fingerprint = "", certificateId, serial, authority] = match;
  if (certificateId === undefined) return { keyType, fingerprint };
  return {
    keyType,
    fingerprint,
    certificateId,
    certificateSerial: serial ?? "",
    certificateAuthority: authority ?? "",
  };
}
