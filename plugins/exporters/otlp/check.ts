// Looks whether the receiver can be reached, for `cairn validate --deep`. Nothing is sent.

import { checkCertificates, checkConnects } from "../../sdk/check-listen.ts";
import { checkReadable } from "../../sdk/check-path.ts";
import type { CheckContext, Finding } from "../../sdk/index.ts";
import type { OtlpConfig } from "./config.ts";

/** The receiver's address, and the files that TLS needs. */
export async function check(
  { endpoint, tls }: OtlpConfig,
  context: CheckContext,
): Promise<readonly Finding[]> {
  const { protocol, hostname, port } = new URL(endpoint);
  const host = hostname.replace(/^\[|\]$/g, "");
  const at = { host, port: Number(port || (protocol === "https:" ? 443 : 80)) };
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
