// TLS of whatever listens: the options an operator writes, and what a server needs, read from the
// files they name and read again when the files change, as they do when certificates are renewed.

import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { SecureContextOptions, SecureVersion } from "node:tls";
import { z } from "zod";
import type { Log } from "./component.ts";
import { ConfigError } from "./errors.ts";

const path = z.string().min(1);

/** Option `tls` of a receiver or extension that listens. */
export const serverTls = z.strictObject({
  cert_file: path.describe("Certificate of the server, with those it is signed by, as PEM"),
  key_file: path.describe("Private key of the certificate, as PEM"),
  client_ca_file: path.optional().describe(
    "Certificates that clients have to be signed by, as PEM; without it clients need none",
  ),
  min_version: z.enum(["1.2", "1.3"]).default("1.2").describe(
    "Oldest version of TLS that is spoken",
  ),
});

/** The checked option. */
export type ServerTlsConfig = z.output<typeof serverTls>;

/** What tls.createServer and https.createServer take. */
export interface ServerTlsOptions extends SecureContextOptions {
  readonly requestCert: boolean;
  readonly rejectUnauthorized: boolean;
}

/** The certificates of one server. */
export interface ServerTls {
  readonly options: ServerTlsOptions;
  /**
   * Has the server use new certificates once the files hold them; what cannot be used is logged and
   * the old ones stay. Ends with the function it returns.
   */
  follow(server: ContextHolder, log: Log, everyMs?: number): () => void;
}

/** The part of a tls or https server that takes other certificates. */
export interface ContextHolder {
  setSecureContext(options: SecureContextOptions): void;
}

// Certificates are renewed days before they end; reading three small files costs next to nothing.
const LOOK_EVERY_MS = 10_000;
const VERSIONS: Readonly<Record<ServerTlsConfig["min_version"], SecureVersion>> = {
  "1.2": "TLSv1.2",
  "1.3": "TLSv1.3",
};

/**
 * Reads the files. Throws ConfigError with the option (below `at`, where the option stands in the
 * configuration) and the file's path, for each file that cannot be read or used.
 */
export async function loadServerTls(config: ServerTlsConfig, at = "tls"): Promise<ServerTls> {
  let current = await read(config, at);
  return {
    options: current,
    follow(server, log, everyMs = LOOK_EVERY_MS) {
      let failure: string | undefined;
      let isBusy = false;
      const look = async () => {
        try {
          const found = await read(config, at);
          failure = undefined;
          if (isSame(found, current)) return;
          server.setSecureContext(found);
          current = found;
          log.info("Certificates have changed: new connections use the new ones");
        } catch (error) {
          const message = error instanceof Error ? error.message : String(error);
          if (failure === message) return;
          failure = message;
          log.warn(`Cannot renew certificates, the old ones stay: ${message}`);
        }
      };
      const timer = setInterval(() => {
        if (isBusy) return;
        isBusy = true;
        look().finally(() => isBusy = false);
      }, everyMs);
      timer.unref();
      return () => clearInterval(timer);
    },
  };
}

async function read(config: ServerTlsConfig, at: string): Promise<ServerTlsOptions> {
  const [cert, key, ca] = await Promise.allSettled([
    pem(config.cert_file, `${at}.cert_file`, (text) => new X509Certificate(text)),
    pem(config.key_file, `${at}.key_file`, (text) => createPrivateKey(text)),
    config.client_ca_file === undefined
      ? undefined
      : pem(config.client_ca_file, `${at}.client_ca_file`, (text) => new X509Certificate(text)),
  ]);
  const problems = [cert, key, ca].flatMap((answer) =>
    answer.status === "rejected" ? (answer.reason as ConfigError).problems : []
  );
  if (cert.status === "rejected" || key.status === "rejected" || ca.status === "rejected") {
    throw new ConfigError(problems);
  }
  // Deno would only find out when the first client comes.
  if (!new X509Certificate(cert.value).checkPrivateKey(createPrivateKey(key.value))) {
    const problem = `Private key "${config.key_file}" is not that of "${config.cert_file}"`;
    throw new ConfigError([{ path: `${at}.key_file`, problem }]);
  }
  return {
    cert: cert.value,
    key: key.value,
    ...(ca.value === undefined ? {} : { ca: ca.value }),
    minVersion: VERSIONS[config.min_version],
    requestCert: ca.value !== undefined,
    rejectUnauthorized: ca.value !== undefined,
  };
}

/** The text of a file that `parse` understands. */
async function pem(path: string, option: string, parse: (text: string) => unknown) {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    const { code = String(error) } = error as NodeJS.ErrnoException;
    const fix = "name a file that the agent may read";
    throw new ConfigError([{ path: option, problem: `Cannot read "${path}": ${code}`, fix }]);
  }
  try {
    parse(text);
  } catch (error) {
    // OpenSSL's own words, which hold nothing of the file.
    const reason = error instanceof Error ? error.message : String(error);
    const problem = `Cannot use "${path}": ${reason}`;
    const fix = "expected PEM, a key without a passphrase";
    throw new ConfigError([{ path: option, problem, fix }], { cause: error });
  }
  return text;
}

function isSame(one: ServerTlsOptions, other: ServerTlsOptions): boolean {
  return one.cert === other.cert && one.key === other.key && one.ca === other.ca;
}
