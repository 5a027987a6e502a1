// A queue of SQS: messages received, kept for longer, and deleted when they are done.

import type { Json, JsonObject } from "../json.ts";
import { isObject } from "../mapping-path.ts";
import { callJson } from "./json-call.ts";
import { AwsClient, type AwsConnection } from "./request.ts";

/** A message that others do not see until its time is over. */
export interface QueueMessage {
  readonly id: string;
  /** Of this receipt; the same message received again has another. */
  readonly receipt: string;
  readonly body: string;
}

/** How to receive. */
export interface ReceiveOptions {
  /** How long to wait for a first message, at most 20 seconds. */
  readonly waitMs: number;
  /** How long the messages are hidden from others. */
  readonly visibilityMs: number;
  readonly signal: AbortSignal;
}

/** Messages that one call takes, SQS's limit. */
export const MESSAGES_MAX = 10;

/** A queue, by its URL. */
export class Sqs {
  readonly #client: AwsClient;
  readonly #url: string;

  constructor(url: string, connection: AwsConnection) {
    this.#url = url;
    // A long poll says nothing for 20 seconds, and then may be late.
    this.#client = new AwsClient("sqs", { timeoutMs: 60_000, ...connection });
  }

  /** Waits for messages; none after the time. */
  async receive(options: ReceiveOptions): Promise<readonly QueueMessage[]> {
    const { waitMs, visibilityMs, signal } = options;
    const output = await this.#call("ReceiveMessage", "receive messages", signal, {
      MaxNumberOfMessages: MESSAGES_MAX,
      WaitTimeSeconds: Math.min(20, Math.ceil(waitMs / 1000)),
      VisibilityTimeout: Math.ceil(visibilityMs / 1000),
    });
    return list(output.Messages).flatMap((message) => {
      const { MessageId: id, ReceiptHandle: receipt, Body: body } = message;
      const isWhole = typeof id === "string" && typeof receipt === "string";
      return isWhole ? [{ id, receipt, body: typeof body === "string" ? body : "" }] : [];
    });
  }

  /** Deletes messages; answers those that are still there, because their receipts are too old. */
  async delete(
    messages: readonly QueueMessage[],
    signal: AbortSignal,
  ): Promise<readonly QueueMessage[]> {
    return await this.#batch("DeleteMessageBatch", "delete messages", messages, {}, signal);
  }

  /** Hides messages for so long from now; answers those whose receipts are too old. */
  async hide(
    messages: readonly QueueMessage[],
    visibilityMs: number,
    signal: AbortSignal,
  ): Promise<readonly QueueMessage[]> {
    const more = { VisibilityTimeout: Math.ceil(visibilityMs / 1000) };
    const operation = "ChangeMessageVisibilityBatch";
    return await this.#batch(operation, "keep messages hidden", messages, more, signal);
  }

  /** Closes connections. Safe to call twice. */
  async close(): Promise<void> {
    await this.#client.close();
  }

  async #batch(
    operation: string,
    what: string,
    messages: readonly QueueMessage[],
    more: JsonObject,
    signal: AbortSignal,
  ): Promise<readonly QueueMessage[]> {
    const failed: QueueMessage[] = [];
    for (let first = 0; first < messages.length; first += MESSAGES_MAX) {
      const part = messages.slice(first, first + MESSAGES_MAX);
      const Entries = part.map(({ receipt }, index) => ({
        Id: String(index),
        ReceiptHandle: receipt,
        ...more,
      }));
      const output = await this.#call(operation, what, signal, { Entries });
      for (const { Id } of list(output.Failed)) {
        const message = part[Number(Id)];
        if (message !== undefined) failed.push(message);
      }
    }
    return failed;
  }

  async #call(
    operation: string,
    what: string,
    signal: AbortSignal,
    input: JsonObject,
  ): Promise<JsonObject> {
    return await callJson(this.#client, {
      action: `Cannot ${what} of queue "${this.#url}"`,
      version: "1.0",
      target: `AmazonSQS.${operation}`,
      origin: new URL(this.#url).origin,
      input: { QueueUrl: this.#url, ...input },
      signal,
    });
  }
}

function list(value: Json | undefined): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}
