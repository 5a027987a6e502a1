// Looks whether an engine answers, for `cairn validate --deep`.

import { checkCertificates, checkConnects } from "../../sdk/check-listen.ts";
import { checkReadable } from "../../sdk/check-path.ts";
import type { CheckContext, Finding } from "../../sdk/index.ts";
import { type DockerReceiverConfig, parseEngine } from "./config.ts";

/** The engine's socket or address, and the files that TLS needs. */
export async function check(
  { endpoint, tls }: DockerReceiverConfig,
  context: CheckContext,
): Promise<readonly Finding[]> {
  const { origin, socketPath } = parseEngine(endpoint)!;
  const { hostname, port } = new URL(origin);
  const host = hostname.replace(/^\[|\]$/g, "");
  const at = socketPath === undefined
    ? { host, port: Number(port || (origin.startsWith("https:") ? 443 : 80)) }
    : { path: socketPath };
  const { ca_file, cert_file, key_file } = tls;
  const now = context.clock();
  const findings = await Promise.all([
    checkConnects(at, "endpoint", context),
    ca_file === undefined ? [] : checkCertificates(ca_file, "tls.ca_file", now),
    cert_file === undefined ? [] : checkCertificates(cert_file, "tls.cert_file", now),
    key_file === undefined ? [] : checkReadable(key_file, "tls.key_file"),
  ]);
  return findings.flat();
}
