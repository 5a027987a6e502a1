// Whether a sender is the one it should be: it signed the body, or shows the secret in a header.

import { createHmac } from "node:crypto";
import type { HttpRequest } from "../../sdk/http-message.ts";
import { sameText, type Secret } from "../../sdk/secret.ts";
import type { Signature, WebhookConfig } from "./config.ts";

const KNOWN: Readonly<Record<"github" | "gitlab", readonly Signature[]>> = {
  github: [
    { header: "X-Hub-Signature-256", algorithm: "sha256", prefix: "sha256=", encoding: "hex" },
  ],
  // Webhooks, and streams of audit events.
  gitlab: [
    { header: "X-Gitlab-Token", algorithm: "none", prefix: "", encoding: "hex" },
    { header: "X-Gitlab-Event-Streaming-Token", algorithm: "none", prefix: "", encoding: "hex" },
  ],
};

/** The signatures one of which a sender must bring; none where it need not sign. */
export function signaturesOf(options: WebhookConfig): readonly Signature[] {
  const { secret, signature = options.format } = options;
  if (secret === undefined) return [];
  if (typeof signature === "object") return [signature];
  return signature === "github" || signature === "gitlab" ? KNOWN[signature] : [];
}

/** Whether a request has one of the signatures. */
export function isSigned(
  { headers, body }: HttpRequest,
  signatures: readonly Signature[],
  secret: Secret,
): boolean {
  return signatures.some(({ header, algorithm, prefix, encoding }) => {
    const shown = headers[header.toLowerCase()];
    if (typeof shown !== "string") return false;
    if (algorithm === "none") return sameText(prefix + secret.reveal(), shown);
    const digest = createHmac(algorithm, secret.reveal()).update(body).digest(encoding);
    const written = encoding === "hex" ? shown.toLowerCase() : shown;
    return sameText((encoding === "hex" ? prefix.toLowerCase() : prefix) + digest, written);
  });
}
