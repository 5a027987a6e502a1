// From a request to its answer: who calls, what they ask, what is recorded of it, and in which form
// everything that goes wrong is answered.

import { AwsFault } from "../../sdk/aws/fault.ts";
import { agentStatusService } from "../../sdk/agent-status.ts";
import { channelService } from "../../sdk/channel-service.ts";
import type { ComponentContext, Host } from "../../sdk/component.ts";
import { RetryableError } from "../../sdk/errors.ts";
import type { AuditEvent, Outcome } from "../../sdk/event.ts";
import type { HttpHead, HttpRequest, HttpResponse } from "../../sdk/http-message.ts";
import type { JsonObject } from "../../sdk/json.ts";
import { selfAuditService } from "../../sdk/self-audit.ts";
import { unlessAborted } from "../../sdk/wait.ts";
import { type Authenticated, Authenticator } from "./authenticate.ts";
import type { Call, Operation } from "./call.ts";
import type { ApiConfig } from "./config.ts";
import { INPUTS } from "./inputs.ts";
import { OPERATIONS } from "./operations.ts";
import type { PageTokens } from "./page-token.ts";
import { putAuditEvents } from "./put-audit-events.ts";
import { validateInput } from "./validate-input.ts";
import {
  failure,
  objectOf,
  operationOf,
  PUT_PATH,
  refuseHead,
  requestId,
  success,
} from "./wire.ts";

const REFUSED = "refused: signature or credentials";
/** Calls that put events, of all channels: where no queue has room, others are still answered. */
const PUTS_MAX = 48;
/** How long a call waits for its record to be durable. */
const RECORD_MS = 5000;
/** Records that nobody waits for any more; while there are so many, no call makes another. */
const LATE_MAX = 16;

/** Answers the requests of one run of the extension. */
export class ApiServer {
  readonly #config: ApiConfig;
  readonly #context: ComponentContext;
  readonly #host: Host;
  readonly #tokens: PageTokens;
  readonly #authenticator: Authenticator;
  #lastFailure = "";
  #puts = 0;
  #late = 0;

  constructor(config: ApiConfig, context: ComponentContext, host: Host, tokens: PageTokens) {
    this.#config = config;
    this.#context = context;
    this.#host = host;
    this.#tokens = tokens;
    this.#authenticator = new Authenticator(config, context.agent, context.clock);
  }

  /** Refuses by its head what need not be read. */
  admit(head: HttpHead): HttpResponse | undefined {
    const refused = refuseHead(head);
    if (refused !== undefined) return refused;
    const fault = this.#authenticator.refuse(head);
    if (fault === undefined) return undefined;
    this.#context.ignored(REFUSED);
    return failure(head, requestId(), fault);
  }

  /** Answers a request; rejects only for what is to be tried again, which becomes 503. */
  async answer(request: HttpRequest): Promise<HttpResponse> {
    const id = requestId();
    try {
      const who = this.#authenticate(request);
      const value = request.path === PUT_PATH
        ? await this.#put(request, who)
        : await this.#run(request, who, id);
      return success(request, id, value);
    } catch (error) {
      if (error instanceof AwsFault) return failure(request, id, error);
      if (request.signal.aborted || error instanceof RetryableError) throw error;
      this.#tell(error);
      const message = "The agent could not do it; its log says why";
      return failure(request, id, new AwsFault("InternalFailure", message, 500));
    }
  }

  #authenticate(request: HttpRequest): Authenticated {
    try {
      return this.#authenticator.authenticate(request);
    } catch (error) {
      if (error instanceof AwsFault) this.#context.ignored(REFUSED);
      throw error;
    }
  }

  async #put(request: HttpRequest, who: Authenticated): Promise<JsonObject> {
    who.authorize("cloudtrail-data:PutAuditEvents");
    this.#checkRunning();
    if (this.#puts >= PUTS_MAX) {
      throw new AwsFault("ThrottlingException", "Rate exceeded: many calls wait to be stored");
    }
    const channels = this.#host.find(channelService);
    this.#puts++;
    const { successful, failed } = await putAuditEvents(
      request,
      objectOf(request),
      who.caller,
      channels,
    ).finally(() => this.#puts--);
    return {
      successful: successful.map(({ id, eventID }) => ({ eventID, id })),
      failed: failed.map(({ id, errorCode, errorMessage }) => ({ errorCode, errorMessage, id })),
    };
  }

  async #run(request: HttpRequest, who: Authenticated, id: string): Promise<JsonObject> {
    const name = operationOf(request);
    const operation = Object.hasOwn(OPERATIONS, name) ? OPERATIONS[name] : undefined;
    if (operation === undefined) {
      throw new AwsFault("UnknownOperationException", `There is no operation ${name}`);
    }
    who.authorize(`cloudtrail:${name}`);
    this.#checkRunning();
    const input = validateInput(objectOf(request), INPUTS[name]!);
    const { recorded } = operation;
    if (recorded?.readOnly === false) who.claim();
    const call: Call = {
      operation: name,
      input,
      caller: who.caller,
      region: who.region,
      now: this.#context.clock(),
      signal: request.signal,
      agent: this.#context.agent,
      find: (kind) => this.#host.find(kind),
      tokens: this.#tokens,
      serviceChannels: this.#config.service_channels,
    };
    if (recorded === undefined) return await operation.run(call);
    return await this.#recorded(call, operation.run, recorded, request, id);
  }

  /** Does it, with a record of it before or after, and one of its failure. */
  async #recorded(
    call: Call,
    run: Operation["run"],
    { readOnly, when, check }: NonNullable<Operation["recorded"]>,
    request: HttpRequest,
    id: string,
  ): Promise<JsonObject> {
    const event = eventOf(call, request, id, readOnly);
    let value: JsonObject;
    let failed = event;
    try {
      check?.(call);
      if (when === "before") {
        await this.#record(event);
        failed = { ...event, id: `${event.id}/failed` };
      }
      value = await run(call);
    } catch (error) {
      await this.#record({ ...failed, outcome: outcomeOf(error) });
      throw error;
    }
    if (when === "after") await this.#record(event);
    return value;
  }

  /** Rejects where it is not durable in time: a queue without room must not take all calls' slots. */
  async #record(event: AuditEvent): Promise<void> {
    const full = "The call cannot be recorded: a queue has no room";
    if (this.#late >= LATE_MAX) throw new RetryableError(full);
    const recorded = this.#host.find(selfAuditService)[0]?.record(event);
    if (recorded === undefined) return;
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(new RetryableError(full)), RECORD_MS);
    try {
      await unlessAborted(recorded, late.signal);
    } catch (error) {
      if (late.signal.aborted) {
        this.#late++;
        const ended = () => void this.#late--;
        recorded.then(ended, ended);
      }
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** What is not there yet must not be taken for what does not exist. */
  #checkRunning(): void {
    const state = this.#host.find(agentStatusService)[0]?.status().state ?? "running";
    if (state === "starting") throw new RetryableError("The agent is starting");
    if (state === "stopping") throw new RetryableError("The agent is stopping");
  }

  /** A mistake is told once, however often it is met. */
  #tell(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    if (message === this.#lastFailure) return;
    this.#lastFailure = message;
    this.#context.log.error(`Cannot answer a call: ${message}`);
  }
}

function outcomeOf(error: unknown): Outcome {
  if (error instanceof AwsFault) {
    return { success: false, code: error.code, message: error.message };
  }
  return { success: false, code: "InternalFailure" };
}

function eventOf(call: Call, request: HttpRequest, id: string, readOnly: boolean): AuditEvent {
  const { caller, operation, now, input, agent } = call;
  const { address, port } = request.peer;
  const userAgent = request.headers["user-agent"];
  const actor: AuditEvent["actor"] = caller.userName === undefined
    ? { type: "anonymous" }
    : caller.accountId === agent.accountId
    ? { type: "user", name: caller.userName }
    : { type: "account", accountId: caller.accountId };
  return {
    id: `api/${id}`,
    time: now,
    service: "cairn",
    action: operation,
    actor,
    outcome: { success: true },
    origin: {
      ...(address !== "" && { address, port }),
      ...(userAgent !== undefined && { userAgent }),
    },
    request: Object.fromEntries(
      Object.entries(input).map(([name, value]) => [lowered(name), value]),
    ),
    additional: {
      requestId: id,
      ...(caller.accessKeyId !== undefined && { accessKeyId: caller.accessKeyId }),
      ...(caller.accountId !== agent.accountId && { userName: caller.userName }),
    },
    readOnly,
    category: "Management",
  };
}

/** As CloudTrail spells parameters. */
function lowered(name: string): string {
  return `${name.charAt(0).toLowerCase()}${name.slice(1)}`;
}
