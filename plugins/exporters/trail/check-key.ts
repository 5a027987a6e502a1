// Looks at the key that is to sign digests, for `cairn validate --deep`: a file or a key in KMS that
// is not there would be noticed an hour after the start.

import type { CheckContext, Finding } from "../../sdk/index.ts";
import type { TrailConfig } from "./config.ts";
import { openKms } from "./digest-options.ts";
import { readPrivateKey } from "./key-ring.ts";

/** Signs nothing; nothing to find where the agent makes its own key. */
export async function checkDigestKey(
  options: TrailConfig,
  context: CheckContext,
): Promise<readonly Finding[]> {
  const { log_file_validation: digests } = options;
  if (digests === false) return [];
  const { key_file: file, kms_key_id: keyId } = digests;
  const [name, found] = file === undefined
    ? ["kms_key_id", `Key "${keyId}" is there for digests`] as const
    : ["key_file", `Key "${file}" can be read`] as const;
  const path = `log_file_validation.${name}`;
  const kms = await openKms(options, context);
  try {
    if (file !== undefined) await readPrivateKey(file);
    else if (kms !== undefined) await kms.publicKey(context.signal);
    else return [];
    return [{ level: "ok", path, message: found }];
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const fix = file === undefined
      ? "name an RSA key for SIGN_VERIFY, and allow kms:GetPublicKey and kms:Sign"
      : "write an RSA private key in PEM that the agent's user can read";
    return [{ level: "problem", path, message, fix }];
  } finally {
    await kms?.close();
  }
}
