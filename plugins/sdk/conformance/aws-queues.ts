// The queues of AwsServer: messages that are hidden while somebody has them, as SQS keeps them.

import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import type { ServerResponse } from "node:http";

interface Message {
  readonly id: string;
  readonly body: string;
  receipt: string;
  /** In milliseconds of performance.now(). */
  hiddenUntil: number;
}

interface Call {
  readonly QueueUrl: string;
  readonly MaxNumberOfMessages?: number;
  readonly WaitTimeSeconds?: number;
  readonly VisibilityTimeout?: number;
  readonly Entries?: readonly {
    readonly Id: string;
    readonly ReceiptHandle: string;
    readonly VisibilityTimeout?: number;
  }[];
}

const LOOK_MS = 20;

/** Queues by the last part of their URLs. */
export class AwsQueues {
  readonly #queues = new Map<string, Message[]>();
  #receipts = 0;

  /** Sends a message; an object as JSON. */
  send(name: string, body: string | object): void {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const id = `m${++this.#receipts}`;
    this.#queue(name).push({ id, body: text, receipt: "", hiddenUntil: 0 });
  }

  /** How many messages are there, hidden ones too. */
  size(name: string): number {
    return this.#queue(name).length;
  }

  /** As if the time of all that are hidden were over. */
  show(name: string): void {
    for (const message of this.#queue(name)) message.hiddenUntil = 0;
  }

  /** Answers a call. */
  async answer(target: string, body: Uint8Array, response: ServerResponse): Promise<void> {
    const call = JSON.parse(Buffer.from(body).toString()) as Call;
    const name = call.QueueUrl.split("/").at(-1)!;
    const operation = target.split(".").at(-1);
    const output = operation === "ReceiveMessage"
      ? await this.#receive(name, call, () => response.destroyed)
      : operation === "DeleteMessageBatch"
      ? this.#each(name, call, (queue, message) => queue.splice(queue.indexOf(message), 1))
      : this.#each(name, call, (_, message, hiddenMs) => {
        message.hiddenUntil = performance.now() + hiddenMs;
      });
    response.end(JSON.stringify(output));
  }

  async #receive(name: string, call: Call, isGone: () => boolean): Promise<object> {
    const { MaxNumberOfMessages = 1, WaitTimeSeconds = 0, VisibilityTimeout = 30 } = call;
    const end = performance.now() + WaitTimeSeconds * 1000;
    for (;;) {
      const now = performance.now();
      const shown = this.#queue(name).filter(({ hiddenUntil }) => hiddenUntil <= now);
      if (isGone()) return {};
      if (shown.length > 0 || now >= end) {
        const taken = shown.slice(0, MaxNumberOfMessages);
        for (const message of taken) {
          message.receipt = `r${++this.#receipts}`;
          message.hiddenUntil = now + VisibilityTimeout * 1000;
        }
        const Messages = taken.map(({ id, receipt, body }) => ({
          MessageId: id,
          ReceiptHandle: receipt,
          Body: body,
          MD5OfBody: createHash("md5").update(body).digest("hex"),
        }));
        return Messages.length === 0 ? {} : { Messages };
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  #each(
    name: string,
    { Entries = [] }: Call,
    act: (queue: Message[], message: Message, hiddenMs: number) => void,
  ): object {
    const queue = this.#queue(name);
    const Successful: object[] = [];
    const Failed: object[] = [];
    for (const { Id, ReceiptHandle, VisibilityTimeout = 0 } of Entries) {
      const message = queue.find(({ receipt }) => receipt === ReceiptHandle);
      if (message === undefined) Failed.push({ Id, Code: "ReceiptHandleIsInvalid" });
      else {
        act(queue, message, VisibilityTimeout * 1000);
        Successful.push({ Id });
      }
    }
    return { Successful, Failed };
  }

  #queue(name: string): Message[] {
    const queue = this.#queues.get(name) ?? [];
    this.#queues.set(name, queue);
    return queue;
  }
}
