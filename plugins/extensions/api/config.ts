// The options of extension `api`.

import { z } from "zod";
import { endpoint } from "../../sdk/endpoint.ts";
import { httpLimitOptions } from "../../sdk/http-message.ts";
import { size } from "../../sdk/index.ts";
import { isLocal } from "../../sdk/loopback.ts";
import { secret } from "../../sdk/secret.ts";
import { serverTls } from "../../sdk/tls.ts";

const ACTION = /^(?:\*|(?:cloudtrail|cloudtrail-data):[A-Za-z*?]{1,64})$/;
const SERVICE_CHANNEL = /^aws-service-channel\/[A-Za-z0-9._-]{1,50}\/[A-Za-z0-9._-]{1,50}$/;

const credential = z.strictObject({
  access_key_id: z.string().regex(/^\w{3,128}$/, "Expected 3 to 128 letters, digits and _")
    .describe("The key's id, which requests name"),
  secret_access_key: secret.describe("The key's secret; better as ${env:NAME} or ${file:PATH}"),
  account_id: z.string().regex(/^\d{12}$/, "Expected twelve digits").optional()
    .describe("Account whose user it is; the agent's own if unset"),
  user: z.string().regex(/^[\w+=,.@-]{1,64}$/, "Expected a user's name as IAM has it")
    .describe("Name of who calls with it, as records of calls have it"),
  actions: z.array(
    z.string().regex(ACTION, "Expected cloudtrail:NAME or cloudtrail-data:NAME, or with * and ?"),
  ).min(1).default(["*"]).describe(
    "What it may call, as IAM spells it: cloudtrail:LookupEvents, cloudtrail:Get*",
  ),
});

const serviceChannel = z.strictObject({
  name: z.string().regex(SERVICE_CHANNEL, "Expected aws-service-channel/SERVICE/NAME")
    .describe("Name of the channel: aws-service-channel/SERVICE/NAME"),
  exporter: z.string().min(1).describe("Exporter that the events its selectors want are handed to"),
});

/** Its schema. */
export const config = z.strictObject({
  endpoint: endpoint.prefault("127.0.0.1:4580").describe(
    "Where to listen: address and port, or unix:// and the path of a socket",
  ),
  tls: serverTls.optional().describe(
    "Certificates; with client_ca_file callers have to show one of theirs, too",
  ),
  credentials: z.array(credential).default([]).describe(
    "Keys that requests are signed with; without any, whoever reaches the endpoint may call " +
      "everything, and it has to be a loopback address or a unix socket",
  ),
  service_channels: z.array(serviceChannel).default([]).describe(
    "Exporters that ListChannels shows as channels linked to a service",
  ),
  ...httpLimitOptions,
  max_body_bytes: size.prefault("4MiB").describe(
    "Largest body of a request; the events of one PutAuditEvents take 1 MiB at most",
  ),
}).check((ctx) => {
  const { credentials, endpoint: at } = ctx.value;
  if (credentials.length === 0 && !isLocal(at)) {
    const message = "Expected credentials: without any, only a loopback address or a unix socket";
    ctx.issues.push({ code: "custom", input: ctx.value, path: ["endpoint"], message });
  }
  credentials.forEach(({ access_key_id: id }, index) => {
    if (credentials.findIndex(({ access_key_id }) => access_key_id === id) === index) return;
    const path = ["credentials", index, "access_key_id"];
    const message = "Expected another access_key_id: it is there already";
    ctx.issues.push({ code: "custom", input: ctx.value, path, message });
  });
});

/** The options, checked. */
export type ApiConfig = z.output<typeof config>;
