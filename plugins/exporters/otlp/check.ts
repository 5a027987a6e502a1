// Looks whether the receiver can be reached, for `cairn validate --deep`. Nothing is sent.

import { addressOf, checkClientTls } from "../../sdk/check-client.ts";
import { checkConnects } from "../../sdk/check-listen.ts";
import type { CheckContext, Finding } from "../../sdk/index.ts";
import type { OtlpConfig } from "./config.ts";

/** The receiver's address, and the files that TLS needs. */
export async function check(
  { endpoint, tls }: OtlpConfig,
  context: CheckContext,
): Promise<readonly Finding[]> {
  const findings = await Promise.all([
    checkConnects(addressOf(endpoint), "endpoint", context),
    checkClientTls(tls, "tls", context.clock()),
  ]);
  return findings.flat();
}
