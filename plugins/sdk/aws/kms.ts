// AWS KMS: signatures by a key that never leaves it.

import { Buffer } from "node:buffer";
import { createPublicKey, type KeyObject } from "node:crypto";
import { RetryableError } from "../errors.ts";
import { callJson } from "./json-call.ts";
import { AwsClient, type AwsConnection } from "./request.ts";
import { awsEndpoint } from "./s3.ts";

/** Which key, and where KMS is. */
export interface KmsKeyOptions {
  /** Id, ARN or alias of an asymmetric key: RSA, for signing. */
  readonly keyId: string;
  readonly connection: AwsConnection;
  /** Scheme, host and port of a service that is not AWS's own. */
  readonly endpoint?: string | undefined;
}

/** An RSA key in KMS. Everything is rejected with a RetryableError: an operator can mend it. */
export class KmsKey {
  readonly #options: KmsKeyOptions;
  readonly #client: AwsClient;
  readonly #origin: string;

  constructor(options: KmsKeyOptions) {
    this.#options = options;
    const { connection, endpoint } = options;
    this.#client = new AwsClient("kms", connection);
    this.#origin = endpoint ?? awsEndpoint("kms", connection.region);
  }

  /** The key's public part. */
  async publicKey(signal: AbortSignal): Promise<KeyObject> {
    const { keyId } = this.#options;
    const action = `Cannot read public key of KMS key "${keyId}"`;
    const der = await this.#call(action, "GetPublicKey", { KeyId: keyId }, "PublicKey", signal);
    const key = createPublicKey({ key: der, format: "der", type: "spki" });
    if (key.asymmetricKeyType === "rsa") return key;
    throw new RetryableError(`${action}: it is no RSA key: name one made for signing`);
  }

  /** Signs a SHA-256 hash: RSASSA-PKCS1-v1_5. */
  async sign(hash: Uint8Array, signal: AbortSignal): Promise<Buffer> {
    const { keyId } = this.#options;
    const input = {
      KeyId: keyId,
      Message: Buffer.from(hash).toString("base64"),
      MessageType: "DIGEST",
      SigningAlgorithm: "RSASSA_PKCS1_V1_5_SHA_256",
    };
    const action = `Cannot sign with KMS key "${keyId}"`;
    return await this.#call(action, "Sign", input, "Signature", signal);
  }

  /** Closes connections. Safe to call twice. */
  async close(): Promise<void> {
    await this.#client.close();
  }

  async #call(
    action: string,
    operation: string,
    input: Readonly<Record<string, string>>,
    member: string,
    signal: AbortSignal,
  ): Promise<Buffer> {
    const target = `TrentService.${operation}`;
    const origin = this.#origin;
    const call = { action, version: "1.1" as const, target, origin, input, signal };
    const { [member]: value } = await callJson(this.#client, call);
    if (typeof value === "string") return Buffer.from(value, "base64");
    throw new RetryableError(`${action}: the answer has no "${member}"`);
  }
}
