// The options of receiver `webhook`.

import { z } from "zod";
import { endpoint } from "../../sdk/endpoint.ts";
import { httpLimitOptions } from "../../sdk/http-message.ts";
import { size } from "../../sdk/index.ts";
import { secret } from "../../sdk/secret.ts";
import { serverTls } from "../../sdk/tls.ts";

const header = z.string().regex(/^[A-Za-z0-9-]{1,100}$/, "Expected the name of a header");

const signature = z.strictObject({
  header: header.describe("Header that holds the signature"),
  algorithm: z.enum(["sha1", "sha256", "sha384", "sha512", "none"]).default("sha256").describe(
    "Hash of the HMAC over the body; none where the header holds the secret itself",
  ),
  prefix: z.string().default("").describe("What stands before the signature, such as sha256="),
  encoding: z.enum(["hex", "base64"]).default("hex").describe("How the signature is written"),
});

/** How a sender signs. */
export type Signature = z.output<typeof signature>;

/** Its schema. */
export const config = z.strictObject({
  endpoint: endpoint.prefault("127.0.0.1:8088").describe(
    "Where to listen: address and port, or unix:// and the path of a socket",
  ),
  path: z.string().regex(/^\/[^?#\s]*$/, "Expected a path that begins with a slash").default("/")
    .describe("Path that senders post to; any other is answered with 404"),
  format: z.string().min(1).describe("Name of the format that the bodies have")
    .meta({ examples: ["json"] }),
  mapping: z.record(z.string(), z.unknown()).optional().describe(
    "Where in a body the facts of an event stand; passed to the format as its mapping",
  ),
  framing: z.enum(["auto", "body", "array", "lines"]).default("auto").describe(
    "What is one event: the body, each item of a JSON list, each line; auto looks at the body",
  ),
  secret: secret.optional().describe("Secret that the sender signs with; needs signature"),
  signature: z.union([z.enum(["github", "gitlab"]), signature]).optional().describe(
    "How the sender signs: as GitHub or GitLab do, or as said here; known for these two formats",
  ),
  bearer_token: secret.optional().describe("Token that senders must show as Authorization"),
  delivery_id_header: header.optional().describe(
    "Header with the id of a delivery, the same when it is repeated; the usual ones are known",
  ),
  tls: serverTls.optional().describe("Certificates; without it, plain HTTP"),
  max_frame_bytes: size.prefault("1MiB").describe(
    "Longest line or item of a body with several; a longer one is set aside",
  ),
  ...httpLimitOptions,
}).check((ctx) => {
  const { secret, signature, format } = ctx.value;
  const isKnown = signature !== undefined || format === "github" || format === "gitlab";
  if (secret === undefined && signature === undefined || secret !== undefined && isKnown) return;
  const missing = secret === undefined ? "secret" : "signature";
  const message = `Expected both secret and signature: ${missing} is missing`;
  ctx.issues.push({ code: "custom", input: ctx.value, path: [missing], message });
});

/** The options, checked. */
export type WebhookConfig = z.output<typeof config>;
