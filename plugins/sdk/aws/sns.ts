// A topic of SNS: messages published over the query protocol, as a form and answered in XML.

import { Buffer } from "node:buffer";
import { hash } from "node:crypto";
import { AwsClient, type AwsConnection, connectionError, readWithin } from "./request.ts";
import { awsEndpoint } from "./s3.ts";
import { elements, parseXml, textOf } from "./xml.ts";

/** A message for a topic. */
export interface SnsMessage {
  /** At most 262,144 bytes of UTF-8, SNS's limit. */
  readonly text: string;
  /** Where subscribers by mail see one; printable ASCII below 100 characters. */
  readonly subject?: string;
}

/** Bytes that SNS takes in one message. */
export const MESSAGE_BYTES_MAX = 262_144;

const ANSWER_BYTES_MAX = 64 * 1024;
const FIFO = ".fifo";
const VERSION = "2010-03-31";

/** A topic, by its ARN. Requests go to the region that the ARN names. */
export class Sns {
  readonly #client: AwsClient;
  readonly #topicArn: string;
  readonly #origin: string;

  /** `endpoint` is scheme, host and port of a service that is not AWS's own. */
  constructor(topicArn: string, connection: AwsConnection, endpoint?: string) {
    const region = topicArn.split(":")[3] || connection.region;
    this.#topicArn = topicArn;
    this.#origin = new URL(endpoint ?? awsEndpoint("sns", region)).origin;
    this.#client = new AwsClient("sns", { ...connection, region });
  }

  /**
   * Publishes a message and gives the id that SNS knows it by. Throws as AwsClient.send() does. A
   * message whose answer was lost is published twice when it is tried again; a FIFO topic takes the
   * same text once in five minutes.
   */
  async publish(message: SnsMessage, signal: AbortSignal): Promise<string> {
    const action = `Cannot publish to topic "${this.#topicArn}"`;
    const form = new URLSearchParams({
      Action: "Publish",
      Version: VERSION,
      TopicArn: this.#topicArn,
      Message: message.text,
    });
    if (message.subject !== undefined) form.set("Subject", message.subject);
    if (this.#topicArn.endsWith(FIFO)) {
      form.set("MessageGroupId", "cairn");
      form.set("MessageDeduplicationId", hash("sha256", message.text));
    }
    const text = await this.#ask(action, form, signal);
    try {
      const [result = {}] = elements(await parseXml(text), "PublishResult");
      const id = textOf(result, "MessageId");
      if (id === undefined) throw new TypeError("Answer names no message");
      return id;
    } catch (error) {
      signal.throwIfAborted();
      throw connectionError(action, error);
    }
  }

  /** Whether the topic is there, for those who may ask. Throws as AwsClient.send() does. */
  async look(signal: AbortSignal): Promise<void> {
    const form = new URLSearchParams({
      Action: "GetTopicAttributes",
      Version: VERSION,
      TopicArn: this.#topicArn,
    });
    await this.#ask(`Cannot look at topic "${this.#topicArn}"`, form, signal);
  }

  async #ask(action: string, form: URLSearchParams, signal: AbortSignal): Promise<string> {
    const { body } = await this.#client.send({
      action,
      method: "POST",
      origin: this.#origin,
      path: "/",
      headers: { "content-type": "application/x-www-form-urlencoded; charset=utf-8" },
      body: form.toString(),
      signal,
    });
    try {
      return Buffer.from(await readWithin(body, ANSWER_BYTES_MAX)).toString("utf8");
    } catch (error) {
      signal.throwIfAborted();
      throw connectionError(action, error);
    }
  }

  /** Closes connections. Safe to call twice. */
  async close(): Promise<void> {
    await this.#client.close();
  }
}
