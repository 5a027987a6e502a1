// Login sessions: what the login said about itself, for what is done in the session later. The
// kernel puts the session's number into every record, the address only sshd's own have; so the two
// are joined here. Asked by facts.ts, taught by describe.ts.

import { LRUCache } from "lru-cache";
import type { Actor, Origin } from "../../sdk/event.ts";
import type { Json } from "../../sdk/json.ts";
import { idIn } from "./facts.ts";
import type { AuditRecord } from "./parse.ts";

/** What is known of one session. */
export interface LoginSession {
  /** The account that logged in: a session number that comes again after a boot is another's. */
  readonly auid: string;
  /** When it began, in milliseconds since the epoch. */
  readonly since: number;
  readonly name?: string;
  readonly address?: string;
  readonly host?: string;
}

// More than people log in on one machine at a time; the one not heard of for longest goes.
const SESSIONS_MAX = 512;
/** Bytes of a name or an address that are kept: the sessions stand in the receiver's position. */
const TEXT_MAX = 256;

/** The sessions of one stream, by machine and number. */
export class Sessions {
  readonly #known: LRUCache<string, LoginSession>;
  readonly #changed = new Set<string>();

  constructor() {
    this.#known = new LRUCache({
      max: SESSIONS_MAX,
      dispose: (_, key) => this.#changed.add(key),
    });
  }

  /** The session a record belongs to; undefined where its beginning was not seen. */
  find(node: string, ses: string, auid: string): LoginSession | undefined {
    const session = this.#known.get(keyOf(node, ses));
    return session?.auid === auid ? session : undefined;
  }

  /** The kernel has opened a session: what was known by its number is another one's. */
  open({ node, time, fields }: AuditRecord): void {
    const [ses, auid] = [idIn(fields.get("ses")), idIn(fields.get("auid"))];
    if (ses === undefined || auid === undefined || fields.get("res") === "0") return;
    this.#set(keyOf(node, ses), { auid, since: time });
  }

  /** A login program tells who came, and from where. */
  learn(record: AuditRecord, ses: string, auid: string, actor: Actor, origin?: Origin): void {
    const known = this.find(record.node, ses, auid);
    const name = (actor.type === "user" ? actor.name : undefined) ?? known?.name;
    const address = origin?.address ?? known?.address;
    const host = origin?.host ?? known?.host;
    if (
      known !== undefined && name === known.name && address === known.address && host === known.host
    ) return;
    const since = known?.since ?? record.time;
    const fits = [name, address, host].every((text) => (text?.length ?? 0) <= TEXT_MAX);
    if (!fits) return;
    this.#set(keyOf(record.node, ses), {
      auid,
      since,
      ...(name !== undefined && { name }),
      ...(address !== undefined && { address }),
      ...(host !== undefined && { host }),
    });
  }

  /** Adds what changed since the last call, by key; null where a session is forgotten. */
  addChanges(to: Record<string, Json>): void {
    for (const key of this.#changed) {
      const session = this.#known.peek(key);
      to[key] = session === undefined ? null : { ...session };
    }
    this.#changed.clear();
  }

  /** Takes back what an earlier instance has told by `addChanges`. */
  recall(key: string, value: Json | undefined): void {
    if (!key.startsWith("session ") || !isSession(value)) return;
    this.#known.set(key, value);
    this.#changed.delete(key);
  }

  #set(key: string, session: LoginSession): void {
    this.#known.set(key, session);
    this.#changed.add(key);
  }
}

function keyOf(node: string, ses: string): string {
  return `session ${node} ${ses}`;
}

function isSession(value: Json | undefined): value is Json & LoginSession {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    "auid" in value && typeof value.auid === "string" &&
    "since" in value && typeof value.since === "number";
}
