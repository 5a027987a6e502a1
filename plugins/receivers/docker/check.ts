// Looks whether an engine answers, for `cairn validate --deep`.

import { addressOf, checkClientTls } from "../../sdk/check-client.ts";
import { checkConnects } from "../../sdk/check-listen.ts";
import type { CheckContext, Finding } from "../../sdk/index.ts";
import { type DockerReceiverConfig, parseEngine } from "./config.ts";

/** The engine's socket or address, and the files that TLS needs. */
export async function check(
  { endpoint, tls }: DockerReceiverConfig,
  context: CheckContext,
): Promise<readonly Finding[]> {
  const { origin, socketPath } = parseEngine(endpoint)!;
  const at = socketPath === undefined ? addressOf(origin) : { path: socketPath };
  const findings = await Promise.all([
    checkConnects(at, "endpoint", context),
    checkClientTls(tls, "tls", context.clock()),
  ]);
  return findings.flat();
}
