// Looks at where a configuration connects to: the address of a URL, and the files that TLS needs. The
// other side of check-listen.ts.

import { checkCertificates } from "./check-listen.ts";
import { checkReadable } from "./check-path.ts";
import type { ClientTlsConfig } from "./client-tls.ts";
import type { Finding } from "./finding.ts";

/** Host, without the brackets of an IPv6 address, and port of an http or https URL. */
export function addressOf(url: string): { readonly host: string; readonly port: number } {
  const { protocol, hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, "");
  return { host, port: Number(port || (protocol === "https:" ? 443 : 80)) };
}

/** The files of option `option`: certificates load and hold for a while, the key can be read. */
export async function checkClientTls(
  { ca_file, cert_file, key_file }: ClientTlsConfig,
  option: string,
  now: number,
): Promise<Finding[]> {
  const findings = await Promise.all([
    ca_file === undefined ? [] : checkCertificates(ca_file, `${option}.ca_file`, now),
    cert_file === undefined ? [] : checkCertificates(cert_file, `${option}.cert_file`, now),
    key_file === undefined ? [] : checkReadable(key_file, `${option}.key_file`),
  ]);
  return findings.flat();
}
