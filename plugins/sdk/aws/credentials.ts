// Who the agent is towards AWS: keys out of the configuration, or AWS's own chain (environment,
// profile, SSO, web identity, container, instance), and a role assumed with either. Read again when
// they are about to expire or were refused, so that what an operator mends needs no restart.

import { RetryableError } from "../errors.ts";
import type { Secret } from "../secret.ts";
import { unlessAborted } from "../wait.ts";
import { CredentialHttp } from "./credential-http.ts";

/** What a request is signed with. */
export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
  readonly expiration?: Date | undefined;
}

/** Where credentials come from, as the operator wrote it; with nothing of it, AWS's chain. */
export interface CredentialOptions {
  readonly accessKeyId?: string | undefined;
  readonly secretAccessKey?: Secret | undefined;
  readonly sessionToken?: Secret | undefined;
  readonly profile?: string | undefined;
  readonly roleArn?: string | undefined;
  readonly externalId?: string | undefined;
  /** Of the STS that is asked for the role. */
  readonly region: string;
  /** Seen in the other account's own CloudTrail. */
  readonly sessionName: string;
  /** Of the agent, for the user agent. */
  readonly version?: string | undefined;
  readonly clock: () => number;
  /** How long one reading may take; a minute by default. */
  readonly readMs?: number | undefined;
}

/** Reads credentials once, anew; the default asks AWS's libraries. */
export type ReadCredentials = (options: CredentialOptions) => Promise<Credentials>;

// As AWS's SDKs do it: a request that takes long is still valid when it arrives.
const RENEW_MS = 5 * 60_000;
// Nobody is asked more often, also where what is read is about to expire, or seems to be to a clock
// that is wrong.
const HOLD_MS = 60_000;
// AWS's libraries wait without end for who takes a connection and says nothing.
const READ_MS = 60_000;

/** Credentials that are kept while they hold. */
export class CredentialSource {
  readonly #options: CredentialOptions;
  readonly #read: ReadCredentials;
  #known: Credentials | undefined;
  #heldUntil = -Infinity;
  #reading: Promise<Credentials> | undefined;

  constructor(options: CredentialOptions, read: ReadCredentials = readCredentials) {
    this.#options = options;
    this.#read = read;
  }

  /** Credentials for a request. Throws a RetryableError that says what to do when there are none. */
  async get(): Promise<Credentials> {
    const known = this.#known;
    const leftMs = this.#leftMs(known);
    const isHeld = leftMs > RENEW_MS || this.#options.clock() < this.#heldUntil;
    if (known !== undefined && isHeld) return known;
    this.#reading ??= this.#readInTime().finally(() => this.#reading = undefined);
    try {
      this.#known = await this.#reading;
      this.#hold(HOLD_MS);
      return this.#known;
    } catch (error) {
      if (known === undefined || leftMs <= 0) throw missing(this.#options, error);
      this.#hold(Math.min(HOLD_MS, leftMs));
      return known;
    }
  }

  /** These were refused: the next request reads them anew. */
  forget(refused: Credentials): void {
    if (this.#known === refused) this.#known = undefined;
  }

  async #readInTime(): Promise<Credentials> {
    const { readMs = READ_MS } = this.#options;
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(new Error(`No answer in ${readMs} ms`)), readMs);
    try {
      return await unlessAborted(this.#read(this.#options), late.signal);
    } finally {
      clearTimeout(timer);
    }
  }

  #hold(ms: number): void {
    this.#heldUntil = this.#options.clock() + ms;
  }

  #leftMs(known: Credentials | undefined): number {
    return (known?.expiration?.getTime() ?? Infinity) - this.#options.clock();
  }
}

async function readCredentials(options: CredentialOptions): Promise<Credentials> {
  const { version } = options;
  const http = new CredentialHttp(version === undefined ? "cairn" : `cairn/${version}`);
  try {
    return await credentialsOver(http, options);
  } finally {
    await http.close();
  }
}

async function credentialsOver(
  requestHandler: CredentialHttp,
  options: CredentialOptions,
): Promise<Credentials> {
  const { roleArn, externalId, sessionName, region } = options;
  const own = async () => await ownCredentials(requestHandler, options);
  if (roleArn === undefined) return await own();
  const { fromTemporaryCredentials } = await import("@aws-sdk/credential-providers");
  const assume = fromTemporaryCredentials({
    masterCredentials: own,
    params: {
      RoleArn: roleArn,
      RoleSessionName: sessionName,
      ...(externalId === undefined ? {} : { ExternalId: externalId }),
    },
    clientConfig: { region, requestHandler },
  });
  return await assume();
}

async function ownCredentials(
  requestHandler: CredentialHttp,
  options: CredentialOptions,
): Promise<Credentials> {
  const { accessKeyId, secretAccessKey, sessionToken, profile } = options;
  if (accessKeyId !== undefined && secretAccessKey !== undefined) {
    const keys = { accessKeyId, secretAccessKey: secretAccessKey.reveal() };
    return sessionToken === undefined ? keys : { ...keys, sessionToken: sessionToken.reveal() };
  }
  // A hundred modules: loaded only where the chain is asked.
  const { fromNodeProviderChain } = await import("@aws-sdk/credential-providers");
  // A chain of its own for each reading: it would remember what it found, also when that is old.
  return await fromNodeProviderChain({
    ignoreCache: true,
    clientConfig: { requestHandler },
    ...(profile === undefined ? {} : { profile }),
  })();
}

function missing({ roleArn, profile }: CredentialOptions, cause: unknown): RetryableError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const what = roleArn !== undefined
    ? `Cannot assume role "${roleArn}": ${reason}; check its trust policy, external_id, and ` +
      `whose credentials ask`
    : profile !== undefined
    ? `Cannot read credentials of profile "${profile}": ${reason}; renew or configure it`
    : `Cannot find AWS credentials: ${reason}; set AWS_ACCESS_KEY_ID and ` +
      "AWS_SECRET_ACCESS_KEY, name a profile, or give the machine a role";
  return new RetryableError(`${what}; they are read again`, { code: "NoCredentials", cause });
}
