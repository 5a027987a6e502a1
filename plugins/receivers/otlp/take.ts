// One request, from its bytes to the intake: decoded as a whole, then mapped and made durable in
// chunks. Both protocols end here; what they answer is theirs.

import {
  type AuditEvent,
  type ComponentContext,
  type Intake,
  RejectedInput,
} from "../../sdk/index.ts";
import type { Encoding, PartialSuccess } from "../../sdk/otlp/answer.ts";
import { decodeJson } from "../../sdk/otlp/decode-json.ts";
import { decodeProtobuf } from "../../sdk/otlp/decode-protobuf.ts";
import { Interpreter } from "../../sdk/otlp/interpret.ts";
import type { ResourceLogs } from "../../sdk/otlp/log-record.ts";
import type { OtlpConfig } from "./config.ts";
import { type AttemptEnd, type Claim, RequestIdentities } from "./request-identity.ts";

// With four requests of each protocol at once, 4,096 events wait for the intake at most.
const CHUNK = 512;
/** Records of a chunk that cannot be taken, on their way to the dead letters at once. */
const REJECTS_AT_ONCE = 8;

/** A request as a protocol hands it on. */
export interface LogsRequest {
  readonly bytes: Uint8Array;
  readonly encoding: Encoding;
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

/** What of a request waits to be made durable. */
interface Chunk {
  events: AuditEvent[];
  texts: Uint8Array[];
  /** Numbers of the log records that held the texts. */
  indexes: number[];
  rejects: { readonly raw: Uint8Array; readonly reason: string; readonly index: number }[];
}

/** Takes requests in. */
export class Taker {
  readonly #config: OtlpConfig;
  readonly #context: ComponentContext;
  readonly #intake: Intake;
  readonly #interpreter = new Interpreter();
  readonly #identities = new RequestIdentities();

  constructor(config: OtlpConfig, context: ComponentContext, intake: Intake) {
    this.#config = config;
    this.#context = context;
    this.#intake = intake;
  }

  /**
   * Resolves when all of a request is durable or set aside, with how much was set aside. Throws
   * RejectedInput for a request that cannot be read, once it is set aside as a whole; anything else
   * that is thrown means: not taken, the sender keeps it.
   */
  async take(request: LogsRequest): Promise<PartialSuccess> {
    const claim = await this.#identities.claim(request.bytes);
    const { signal } = request;
    // At once, not when the intake answers: the sender may be here again before.
    const gone = () => claim.end("left");
    signal.addEventListener("abort", gone);
    if (signal.aborted) gone();
    let how: AttemptEnd = "refused";
    try {
      const logs = await this.#decode(request, claim);
      const answer = await this.#store(logs, claim, request);
      how = "taken";
      return answer;
    } finally {
      signal.removeEventListener("abort", gone);
      claim.end(how);
    }
  }

  async #decode(request: LogsRequest, { id }: Claim): Promise<readonly ResourceLogs[]> {
    const { bytes, encoding, signal } = request;
    try {
      if (encoding === "protobuf") return decodeProtobuf(bytes);
      const logs = decodeJson(bytes, this.#config.max_body_bytes);
      if (logs === undefined) throw new RejectedInput("Holds traces, metrics or profiles, no logs");
      return logs;
    } catch (error) {
      if (!(error instanceof RejectedInput)) throw error;
      await this.#intake.reject(bytes, error.message, { id, signal });
      throw error;
    }
  }

  async #store(
    logs: readonly ResourceLogs[],
    { id }: Claim,
    { bytes, signal }: LogsRequest,
  ): Promise<PartialSuccess> {
    const receivedAt = this.#context.clock();
    const interpreted = this.#interpreter.interpret(logs, {
      request: bytes,
      // A record without a time may be sent again next year, and still be another.
      idOf: (index, isTimed) => isTimed ? `${id}:${index}` : `${id}@${receivedAt}:${index}`,
      receivedAt,
      onlyEvents: this.#config.only_events,
    });
    const chunk: Chunk = { events: [], texts: [], indexes: [], rejects: [] };
    const ignored = new Map<string, number>();
    let size = 0;
    let rejected = 0;
    let reason = "";
    for (const item of interpreted) {
      if ("event" in item) chunk.events.push(item.event);
      else if ("text" in item) {
        chunk.texts.push(item.text);
        chunk.indexes.push(item.index);
      } else if ("ignored" in item) {
        ignored.set(item.ignored, (ignored.get(item.ignored) ?? 0) + 1);
        continue;
      } else {
        chunk.rejects.push(item);
        rejected++;
        reason ||= `Log record ${item.index}: ${item.reason}`;
      }
      if (++size % CHUNK === 0) await this.#flush(chunk, id, signal);
    }
    await this.#flush(chunk, id, signal);
    for (const [reason, count] of ignored) this.#context.ignored(reason, count);
    return { rejected, reason };
  }

  async #flush(chunk: Chunk, id: string, signal: AbortSignal): Promise<void> {
    const { events, texts, indexes, rejects } = chunk;
    for (let at = 0; at < rejects.length; at += REJECTS_AT_ONCE) {
      await Promise.all(
        rejects.slice(at, at + REJECTS_AT_ONCE).map(({ raw, reason, index }) =>
          this.#intake.reject(raw, reason, { id: `${id}:${index}`, signal })
        ),
      );
    }
    if (events.length > 0) await this.#intake.events(events, { signal });
    if (texts.length > 0) {
      const identify = (at: number) => `${id}:${indexes[at]}`;
      await this.#intake.records(texts, { identify, signal });
    }
    chunk.events = [];
    chunk.texts = [];
    chunk.indexes = [];
    chunk.rejects = [];
  }
}
