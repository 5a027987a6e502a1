// Who calls: the signature is checked against the configured keys, and what the key may do against the
// operation. Without keys everybody on this machine may call, but no page in their browser.

import { LRUCache } from "lru-cache";
import { type AwsCaller, AwsFault } from "../../sdk/aws/fault.ts";
import { readSignature, type Signature, verifySignature } from "../../sdk/aws/verify.ts";
import type { AgentIdentity } from "../../sdk/component.ts";
import type { HttpHead, HttpRequest } from "../../sdk/http-message.ts";
import { isForThisMachine } from "../../sdk/loopback.ts";
import type { Secret } from "../../sdk/secret.ts";
import type { ApiConfig } from "./config.ts";

/** A caller, and the region that the call is for. */
export interface Authenticated {
  readonly caller: AwsCaller;
  readonly region: string;
  /** Says whether the caller may do something: `cloudtrail:LookupEvents`. Throws AwsFault. */
  authorize(action: string): void;
  /** For calls that change something: throws AwsFault where the signature may have been used. */
  claim(): void;
}

/** A key, and what follows from it for every call. */
interface Key {
  readonly secret: Secret;
  readonly caller: AwsCaller;
  readonly allowed: readonly RegExp[];
}

const SERVICES = ["cloudtrail", "cloudtrail-data"];
/** Signatures of calls that change something, each of which holds for minutes, or a week in a query. */
const SIGNATURES_MAX = 100_000;
/** Longer than the time in which a signature in a header is taken. */
const REMEMBERED_MS = 15 * 60_000;

/** Knows the keys of one API. */
export class Authenticator {
  readonly #agent: AgentIdentity;
  readonly #clock: () => number;
  readonly #keys: ReadonlyMap<string, Key>;
  readonly #used: LRUCache<string, number>;
  /** Which signatures were used before is not known any more. */
  readonly #since: number;

  constructor(config: ApiConfig, agent: AgentIdentity, clock: () => number) {
    this.#agent = agent;
    this.#clock = clock;
    this.#keys = new Map(config.credentials.map((key) => [key.access_key_id, keyOf(key, agent)]));
    this.#used = new LRUCache({ max: SIGNATURES_MAX });
    this.#since = clock();
  }

  /**
   * Refuses, by its head alone, what is signed with no key, so that strangers' bodies take no room;
   * where no keys tell callers apart, what is no call by a program of this machine: a page that the
   * browser was led to by another name, or of another origin.
   */
  refuse(head: HttpHead): AwsFault | undefined {
    if (this.#keys.size > 0) return this.#refuseUnknown(head);
    const { headers } = head;
    const isForeign = headers.origin !== undefined || headers["sec-fetch-site"] !== undefined;
    if (!isForeign && isForThisMachine(head)) return undefined;
    const host = headers.host ?? "";
    const message = isForeign
      ? "Calls of web pages are refused where no credentials are configured"
      : `Host '${host.slice(0, 128)}' is not this machine, and no credentials are configured`;
    return new AwsFault("AccessDeniedException", message, 403);
  }

  #refuseUnknown(head: HttpHead): AwsFault | undefined {
    try {
      this.#keyOf(readSignature(head));
    } catch (error) {
      if (error instanceof AwsFault) return error;
      throw error;
    }
    return undefined;
  }

  #keyOf({ accessKeyId, securityToken }: Signature): Key {
    const key = this.#keys.get(accessKeyId);
    if (key !== undefined && securityToken === undefined) return key;
    const message = "The security token included in the request is invalid.";
    throw new AwsFault("UnrecognizedClientException", message, 403);
  }

  /** Throws AwsFault where it cannot be told who calls. */
  authenticate(request: HttpRequest): Authenticated {
    if (this.#keys.size === 0) return this.#anybody(request);
    const signature = readSignature(request);
    const { secret, caller, allowed } = this.#keyOf(signature);
    const now = this.#clock();
    verifySignature(request, signature, secret.reveal(), { services: SERVICES, now });
    return {
      caller,
      region: signature.region,
      authorize(action) {
        if (allowed.some((wanted) => wanted.test(action))) return;
        throw new AwsFault(
          "AccessDeniedException",
          `User: ${caller.arn} is not authorized to perform: ${action} because no identity-based policy ` +
            `allows the ${action} action`,
          403,
        );
      },
      claim: () => this.#claim(signature),
    };
  }

  #anybody(request: HttpRequest): Authenticated {
    const { accountId, partition, region } = this.#agent;
    return {
      caller: { accountId, arn: `arn:${partition}:iam::${accountId}:root` },
      region: scopeRegion(request) ?? region,
      authorize: () => {},
      claim: () => {},
    };
  }

  #claim({ value, time, expiresMs = 0 }: Signature): void {
    const now = this.#clock();
    // Signatures tell their second.
    if (time + 1000 <= this.#since) {
      const message = "Signature is older than the agent's start: sign the call anew";
      throw new AwsFault("InvalidSignatureException", message, 403);
    }
    if ((this.#used.get(value) ?? 0) > now) {
      const message = "Signature was used by an earlier call already: sign each call anew";
      throw new AwsFault("InvalidSignatureException", message, 403);
    }
    this.#used.set(value, now + Math.max(REMEMBERED_MS, expiresMs * 2));
  }
}

function keyOf(key: ApiConfig["credentials"][number], agent: AgentIdentity): Key {
  const { access_key_id: accessKeyId, account_id: accountId = agent.accountId, user } = key;
  const arn = `arn:${agent.partition}:iam::${accountId}:user/${user}`;
  return {
    secret: key.secret_access_key,
    caller: { accountId, userName: user, accessKeyId, arn },
    allowed: key.actions.map(pattern),
  };
}

/** Programs sign though nobody checks it; the region that they speak of is meant. */
function scopeRegion(request: HttpRequest): string | undefined {
  try {
    return readSignature(request).region;
  } catch {
    return undefined;
  }
}

/** An IAM pattern of actions; names are told apart regardless of case, as IAM does. */
function pattern(text: string): RegExp {
  const source = text.replace(/[.+^${}()|[\]\\]/g, "\\$&").replace(/\*/g, ".*").replace(/\?/g, ".");
  return new RegExp(`^${source}$`, "i");
}
