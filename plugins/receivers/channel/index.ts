// Receiver `channel`: takes the audit events of other programs through PutAuditEvents, which extension
// `api` serves. An event is answered as successful when it is durable.

import { Buffer } from "node:buffer";
import { type AwsCaller, AwsFault } from "../../sdk/aws/fault.ts";
import {
  type AuditEventEntry,
  type ChannelDescription,
  type ChannelService,
  channelService,
  type ChannelStatus,
  type PutAuditEvents,
  type PutAuditEventsResult,
} from "../../sdk/channel-service.ts";
import {
  authorizeSender,
  foreignResource,
  policyText,
} from "../../sdk/cloudtrail/resource-policy.ts";
import { derivedId } from "../../sdk/derived-id.ts";
import { ConfigError, RetryableError } from "../../sdk/errors.ts";
import {
  type ComponentContext,
  defineReceiver,
  type Host,
  type Intake,
  type Receiver,
} from "../../sdk/index.ts";
import { Slots } from "../../sdk/slots.ts";
import { auditRecord, type ChannelIdentity, sharedMembers } from "./audit-event.ts";
import { type ChannelConfig, config } from "./config.ts";

/** Counted for each event that is answered as failed. */
const REFUSED = "refused: not as PutAuditEvents wants it";
const CALL_BYTES_MAX = 1024 * 1024;
const EVENTS_MAX = 100;
/** Calls that are stored at once; they share what it takes to make them durable. */
const AT_ONCE = 16;
/** Calls that are here; where the queue has no room, the next one is told to come later. */
const CALLS_MAX = 48;
/** How long a call waits for room, as long as senders wait for an answer. */
const ROOM_MS = 20_000;

export default defineReceiver({
  type: "channel",
  stability: "beta",
  summary: "Takes audit events of other programs through PutAuditEvents, as CloudTrail does",
  config,
  create: (options, context, intake) => new ChannelReceiver(options, context, intake),
});

class ChannelReceiver implements Receiver, ChannelService {
  readonly #options: ChannelConfig;
  readonly #context: ComponentContext;
  readonly #intake: Intake;
  readonly #identity: ChannelIdentity;
  #status: ChannelStatus = {};
  #isRunning = false;
  readonly #slots = new Slots(AT_ONCE);
  readonly #calls = new Set<AbortController>();

  constructor(options: ChannelConfig, context: ComponentContext, intake: Intake) {
    this.#options = options;
    this.#context = context;
    this.#intake = intake;
    const { accountId, region, partition } = context.agent;
    const id = options.id ?? derivedId("cairn", accountId, region, "channel", options.name);
    const arn = `arn:${partition}:cloudtrail:${region}:${accountId}:channel/${id}`;
    this.#identity = { arn, accountId, region, source: options.source };
  }

  async start(host: Host): Promise<void> {
    const { resource_policy: policy } = this.#options;
    const { arn } = this.#identity;
    const foreign = policy && foreignResource(policy, arn);
    if (foreign !== undefined) {
      const problem = `Resource "${foreign}" is not this channel`;
      const fix = `write ${arn}, or leave Resource out`;
      throw new ConfigError([{ path: "resource_policy.Statement", problem, fix }]);
    }
    if (this.#isRunning) return;
    const same = host.find(channelService).map((channel) => channel.describe())
      .find((other) => other.arn === arn && other.id !== this.#context.id);
    if (same !== undefined) {
      const problem = `Channel "${same.id}" has the same ARN`;
      throw new ConfigError([{ path: "name", problem, fix: "choose another name" }]);
    }
    this.#isRunning = true;
    host.provide(channelService, this);
    host.report("running", `Takes events for ${arn}`);
  }

  async stop(): Promise<void> {
    this.#isRunning = false;
    for (const call of this.#calls) call.abort(new Error("Stopped: the channel stops"));
  }

  describe(): ChannelDescription {
    const { name, source, destinations, resource_policy: policy } = this.#options;
    const { arn } = this.#identity;
    const resourcePolicy = policy === undefined ? {} : { resourcePolicy: policyText(policy, arn) };
    return { id: this.#context.id, name, arn, source, destinations, ...resourcePolicy };
  }

  status(): ChannelStatus {
    return this.#status;
  }

  async put(call: PutAuditEvents, caller: AwsCaller): Promise<PutAuditEventsResult> {
    if (!this.#isRunning) throw new RetryableError("Cannot take events: the channel is stopped");
    const { resource_policy: policy } = this.#options;
    authorizeSender(policy, caller, this.#identity.accountId, call.externalId);
    checkCall(call.auditEvents);
    if (this.#calls.size >= CALLS_MAX) {
      throw new AwsFault("ThrottlingException", "Rate exceeded: many calls wait to be stored");
    }
    const waiting = new AbortController();
    const giveUp = () => waiting.abort(new Error("Gave up: there was no room in time"));
    const timer = setTimeout(giveUp, ROOM_MS);
    call.signal?.addEventListener("abort", giveUp, { once: true });
    this.#calls.add(waiting);
    try {
      return await this.#inTurn(call.auditEvents, waiting.signal);
    } finally {
      clearTimeout(timer);
      call.signal?.removeEventListener("abort", giveUp);
      this.#calls.delete(waiting);
    }
  }

  async #inTurn(
    entries: readonly AuditEventEntry[],
    signal: AbortSignal,
  ): Promise<PutAuditEventsResult> {
    await this.#slots.take(signal);
    try {
      return await this.#store(entries, signal);
    } finally {
      this.#slots.free();
    }
  }

  /** Resolves when the good events are durable; rejects where none is taken. */
  async #store(
    entries: readonly AuditEventEntry[],
    signal: AbortSignal,
  ): Promise<PutAuditEventsResult> {
    const now = this.#context.clock();
    const shared = sharedMembers(this.#identity, now);
    const texts: Uint8Array[] = [];
    const successful: PutAuditEventsResult["successful"][number][] = [];
    const failed: PutAuditEventsResult["failed"][number][] = [];
    for (const entry of entries) {
      const { id } = entry;
      const made = auditRecord(entry, this.#identity, shared);
      if ("errorCode" in made) failed.push({ id, ...made });
      else {
        texts.push(made.bytes);
        successful.push({ id, eventID: made.eventId });
      }
    }
    try {
      if (texts.length > 0) {
        await this.#intake.records(texts, { signal, identified: true });
      }
    } catch (error) {
      this.#note(now, undefined, "InternalFailure");
      const reason = error instanceof Error ? error.message : String(error);
      throw new RetryableError(`Cannot store events: ${reason}`, { cause: error });
    }
    if (failed.length > 0) this.#context.ignored(REFUSED, failed.length);
    this.#note(now, successful.at(-1)?.eventID, failed[0]?.errorCode);
    return { successful, failed };
  }

  #note(time: number, eventId: string | undefined, errorCode: string | undefined): void {
    const success = eventId === undefined ? this.#status.latestSuccess : { time, eventId };
    this.#status = {
      ...(success !== undefined && { latestSuccess: success }),
      latestAttempt: { time, ...(eventId !== undefined && { eventId }) },
      ...(errorCode !== undefined && { latestErrorCode: errorCode }),
    };
  }
}

/** Throws AwsFault where the call is refused whole. */
function checkCall(entries: readonly AuditEventEntry[]): void {
  if (entries.length < 1 || entries.length > EVENTS_MAX) {
    throw new AwsFault("ValidationException", `A call holds 1 to ${EVENTS_MAX} events`);
  }
  const ids = new Set<string>();
  let bytes = 0;
  for (const { id, eventData } of entries) {
    if (ids.has(id)) {
      throw new AwsFault("DuplicatedAuditEventId", `Two events of the call have the id ${id}`);
    }
    ids.add(id);
    bytes += Buffer.byteLength(eventData);
  }
  if (bytes <= CALL_BYTES_MAX) return;
  const message = `The events of a call have ${CALL_BYTES_MAX} bytes at most`;
  throw new AwsFault("RequestEntityTooLargeException", message, 413);
}
