// One call of an operation: what it was asked with, who asks, and what it may use to answer.

import { type AwsCaller, AwsFault } from "../../sdk/aws/fault.ts";
import type { AgentIdentity, Host } from "../../sdk/component.ts";
import type { Json, JsonObject } from "../../sdk/json.ts";
import type { ApiConfig } from "./config.ts";
import type { PageTokens } from "./page-token.ts";

/** A call whose input has the shape of its operation. */
export interface Call {
  readonly operation: string;
  readonly input: JsonObject;
  readonly caller: AwsCaller;
  /** Of the credential's scope. */
  readonly region: string;
  /** In milliseconds since the epoch. */
  readonly now: number;
  readonly signal: AbortSignal;
  readonly agent: AgentIdentity;
  readonly find: Host["find"];
  readonly tokens: PageTokens;
  readonly serviceChannels: ApiConfig["service_channels"];
}

/** What an operation does. */
export interface Operation {
  /** Answers in AWS's shape, or throws AwsFault. */
  run(call: Call): JsonObject | Promise<JsonObject>;
  /** Set where the call itself becomes a record, which is durable before it is answered. */
  readonly recorded?: {
    readonly readOnly: boolean;
    /** `before`: the record is durable before anything is done. */
    readonly when: "before" | "after";
    /** Throws what would make it fail for certain, so that it is not recorded as done. */
    check?(call: Call): void;
  };
}

/** A text of the input. */
export function textOf({ input }: Pick<Call, "input">, name: string): string | undefined {
  const value = input[name];
  return typeof value === "string" ? value : undefined;
}

/** A number of the input. */
export function numberOf({ input }: Pick<Call, "input">, name: string): number | undefined {
  const value = input[name];
  return typeof value === "number" ? value : undefined;
}

/** A moment of the input, in milliseconds since the epoch. */
export function timeOf(call: Pick<Call, "input">, name: string): number | undefined {
  const seconds = numberOf(call, name);
  return seconds === undefined ? undefined : Math.round(seconds * 1000);
}

/** A moment of an answer: seconds since the epoch. */
export function seconds(ms: number): number;
export function seconds(ms: number | undefined): number | undefined;
export function seconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1000;
}

/** True where the caller's account is the agent's: only then it sees what the agent has. */
export function isOwner({ caller, agent }: Pick<Call, "caller" | "agent">): boolean {
  return caller.accountId === agent.accountId;
}

/** What a NextToken of a call is bound to: who asks what, but not for how much at once. */
export function queryOf({ operation, caller, region, input }: Call): JsonObject {
  const { NextToken: _, MaxResults: __, MaxQueryResults: ___, ...rest } = input;
  return { operation, account: caller.accountId, region, input: rest };
}

/** Where the call goes on; undefined for a first page. Throws AwsFault for another's token. */
export function placeOf(call: Call, fault = "InvalidNextTokenException"): Json | undefined {
  const token = textOf(call, "NextToken");
  if (token === undefined) return undefined;
  const place = call.tokens.open(token, queryOf(call));
  if (place === undefined) {
    throw new AwsFault(fault, "The token is not one that this query was answered with");
  }
  return place;
}

/** A page of a list that is there as a whole, under `name`, with a token where there is more. */
export function pageOf(
  call: Call,
  name: string,
  items: readonly JsonObject[],
  fault?: string,
): JsonObject {
  const place = placeOf(call, fault);
  const from = typeof place === "number" ? place : 0;
  const to = from + (numberOf(call, "MaxResults") ?? 1000);
  const page: JsonObject = { [name]: items.slice(from, to) };
  return to < items.length ? { ...page, NextToken: call.tokens.seal(to, queryOf(call)) } : page;
}
