// The options of receiver `k8s_audit`.

import { z } from "zod";
import { endpoint } from "../../sdk/endpoint.ts";
import { httpLimitOptions } from "../../sdk/http-message.ts";
import { duration, size } from "../../sdk/index.ts";
import { secret } from "../../sdk/secret.ts";
import { serverTls } from "../../sdk/tls.ts";

const OF_THE_WEBHOOK = ["endpoint", "tls", "bearer_token"] as const;

/** Its schema. */
export const config = z.strictObject({
  endpoint: endpoint.optional().describe(
    "Where the API server's audit webhook posts to; without it and path, 127.0.0.1:9443",
  ),
  tls: serverTls.optional().describe(
    "Certificates; with client_ca_file the API server has to show one",
  ),
  bearer_token: secret.optional().describe("Token that the API server must show"),
  path: z.string().min(1).optional().describe(
    "Instead of endpoint: the audit log file; rotated files beside it are found by themselves",
  ),
  start_at: z.enum(["end", "beginning"]).optional().describe(
    "Where to begin with the file at the first start: with what is written from now on, or with " +
      "the oldest rotated file; under --once the beginning when not set",
  ),
  max_line_bytes: size.prefault("4MiB").describe(
    "Longest line of the file; a longer one is set aside, cut at this length",
  ),
  cluster: z.string().min(1).optional().describe(
    "Name of the cluster, which the records then have as their host; without it, the agent's",
  ),
  request_objects: z.boolean().default(true).describe(
    "Whether what was asked for is copied, where the audit policy has it; never what secrets hold",
  ),
  wait: duration.prefault("1m").describe(
    "How long a request that was only received waits for its answer, to be one record with it",
  ),
  ...httpLimitOptions,
}).check((ctx) => {
  if (ctx.value.path === undefined) return;
  for (const name of OF_THE_WEBHOOK) {
    if (ctx.value[name] === undefined) continue;
    const message = `Expected either path or ${name}: a file is not listened to`;
    ctx.issues.push({ code: "custom", input: ctx.value, path: [name], message });
  }
});

/** The options, checked. */
export type K8sAuditConfig = z.output<typeof config>;

/** What the format is asked for with. */
export function formatConfig(options: K8sAuditConfig): Readonly<Record<string, unknown>> {
  const { cluster, request_objects, wait } = options;
  const rest = { request_objects, wait: duration.encode(wait) };
  return cluster === undefined ? rest : { cluster, ...rest };
}
