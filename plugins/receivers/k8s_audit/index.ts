// Receiver `k8s_audit`: the audit events of a Kubernetes API server, as its webhook posts them or out
// of its log file. What the events mean is the business of format `k8s_audit`.

import { extname } from "node:path";
import { checkListening } from "../../sdk/check-listen.ts";
import { checkReadable } from "../../sdk/check-path.ts";
import { Follower } from "../../sdk/follow.ts";
import { isGlob } from "../../sdk/glob.ts";
import { defineReceiver } from "../../sdk/index.ts";
import { config, formatConfig } from "./config.ts";
import { DEFAULT_ENDPOINT, WebhookReceiver } from "./push.ts";

export default defineReceiver({
  type: "k8s_audit",
  stability: "beta",
  summary: "Audit events of a Kubernetes API server: its webhook or its log file",
  config,
  formats: (options) => [{ name: "k8s_audit", config: formatConfig(options) }],
  check: ({ path, endpoint = DEFAULT_ENDPOINT, tls }, context) =>
    path === undefined ? checkListening({ endpoint, tls }, context) : checkReadable(path, "path"),
  create(options, context, intake) {
    if (options.path === undefined) return new WebhookReceiver(options, context, intake);
    return new Follower(
      {
        paths: [patternOf(options.path)],
        exclude: [],
        startAt: options.start_at ?? (context.once ? "beginning" : "end"),
        siblings: true,
        lineBytesMax: options.max_line_bytes,
        format: () => context.format("k8s_audit", formatConfig(options)),
      },
      context,
      intake,
    );
  },
});

/**
 * The API server rotates `audit.log` to `audit-2026-11-22T10-00-00.000.log`. As one pattern, so that
 * there need not be rotated files.
 */
function patternOf(path: string): string {
  if (isGlob(path)) return path;
  const extension = extname(path);
  const stem = extension === "" ? path : path.slice(0, -extension.length);
  return `${stem}{-[0-9][0-9][0-9][0-9]-*,}${extension}`;
}
