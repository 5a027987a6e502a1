// TLS of whatever connects: the options an operator writes, and the contents of the files they name.
// The other side of tls.ts.

import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { ConfigError, type ConfigProblem } from "./errors.ts";

const path = z.string().min(1);

/** Option `tls` of a component that connects. */
export const clientTls = z.strictObject({
  ca_file: path.optional().describe(
    "Certificates that the server's own may be signed by, as PEM; the runtime's own list without it",
  ),
  cert_file: path.optional().describe("The agent's certificate, as PEM, for a server that asks"),
  key_file: path.optional().describe("Private key of the certificate, as PEM"),
}).refine((tls) => (tls.cert_file === undefined) === (tls.key_file === undefined), {
  error: "cert_file and key_file need each other",
});

/** The checked option. */
export type ClientTlsConfig = z.output<typeof clientTls>;

/** Contents of the files, as tls.connect takes them. */
export interface ClientTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/**
 * Reads the files, anew with each call: certificates are renewed. Throws ConfigError with the
 * option (below `at`, where it stands in the configuration) for each that cannot be read or used.
 */
export async function loadClientTls(config: ClientTlsConfig, at = "tls"): Promise<ClientTls> {
  const problems: ConfigProblem[] = [];
  const load = async (option: keyof ClientTlsConfig, parse: (text: string) => unknown) => {
    const file = config[option];
    if (file === undefined) return undefined;
    try {
      const text = await readFile(file, "utf8");
      parse(text);
      return text;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const isThere = code === undefined || code.startsWith("ERR_");
      problems.push({
        path: `${at}.${option}`,
        problem: `Cannot ${isThere ? "use" : "read"} "${file}": ${isThere ? message : code}`,
        fix: isThere
          ? "expected PEM, a key without a passphrase"
          : "name a file that the agent may read",
      });
      return undefined;
    }
  };
  const ca = await load("ca_file", (text) => new X509Certificate(text));
  const cert = await load("cert_file", (text) => new X509Certificate(text));
  const key = await load("key_file", (text) => createPrivateKey(text));
  if (problems.length > 0) throw new ConfigError(problems);
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}
