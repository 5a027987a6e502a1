// Digest files: what they list, what their signature covers, and whether it holds. Nothing here
// touches a disk or a bucket.

import { Buffer } from "node:buffer";
import { createHash, createPublicKey, createVerify, type KeyObject } from "node:crypto";
import { z } from "zod";
import { RejectedInput } from "../errors.ts";

const logFile = z.object({
  s3Bucket: z.string(),
  s3Object: z.string(),
  hashValue: z.string(),
  hashAlgorithm: z.string(),
  newestEventTime: z.string().nullish(),
  oldestEventTime: z.string().nullish(),
});

const digest = z.object({
  awsAccountId: z.string(),
  digestStartTime: z.string(),
  digestEndTime: z.string(),
  digestS3Bucket: z.string(),
  digestS3Object: z.string(),
  digestPublicKeyFingerprint: z.string(),
  digestSignatureAlgorithm: z.string(),
  newestEventTime: z.string().nullish(),
  oldestEventTime: z.string().nullish(),
  /** These five are null in a digest that begins a chain. */
  previousDigestS3Bucket: z.string().nullable(),
  previousDigestS3Object: z.string().nullable(),
  previousDigestHashValue: z.string().nullable(),
  previousDigestHashAlgorithm: z.string().nullable(),
  previousDigestSignature: z.string().nullable(),
  logFiles: z.array(logFile),
});

/** A log file as a digest lists it; the hash is of its text, before compression. */
export type DigestLogFile = z.output<typeof logFile>;

/** A digest file's content; its keys are in the order that CloudTrail documents. */
export type Digest = z.output<typeof digest>;

/** The one algorithm there is: RSASSA-PKCS1-v1_5 with SHA-256. */
export const DIGEST_SIGNATURE_ALGORITHM = "SHA256withRSA";

/** Name of the metadata of a digest's object that holds its signature. */
export const SIGNATURE_METADATA = "signature";
/** Name of the metadata that says how it was signed. */
export const SIGNATURE_ALGORITHM_METADATA = "signature-algorithm";

/** Reads a digest's text. Throws RejectedInput for what is none. */
export function parseDigest(text: Uint8Array): Digest {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(text.buffer, text.byteOffset, text.byteLength).toString());
  } catch (error) {
    throw new RejectedInput("Digest is not JSON", { cause: error });
  }
  const { success, data, error } = digest.safeParse(value);
  if (success) return data;
  const { path, message } = error.issues[0]!;
  throw new RejectedInput(`Digest is not valid: ${path.join(".")}: ${message}`);
}

/** The hash that digests hold of files, in lower-case hex. */
export function digestHash(text: Uint8Array): string {
  return createHash("sha256").update(text).digest("hex");
}

/** What a digest's signature is made of; `textHash` is digestHash() of its text. */
export function digestSignedText(
  of: Pick<
    Digest,
    "digestEndTime" | "digestS3Bucket" | "digestS3Object" | "previousDigestSignature"
  >,
  textHash: string,
): string {
  const where = `${of.digestS3Bucket}/${of.digestS3Object}`;
  return [of.digestEndTime, where, textHash, of.previousDigestSignature ?? "null"].join("\n");
}

/** A public key, and the name that digests call it by. */
export interface DigestKey {
  readonly fingerprint: string;
  readonly key: KeyObject;
}

/**
 * Reads an RSA public key: PEM of either kind, or PKCS#1 DER as ListPublicKeys gives it, plain or
 * in base64. Throws RejectedInput for anything else.
 */
export function readDigestKey(bytes: Uint8Array): DigestKey {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isPem = text.includes("-----BEGIN");
  // DER begins with the tag of a sequence, which is 0 in ASCII and cannot begin 270 bytes in base64.
  const der = text[0] === 0x30 ? text : Buffer.from(text.toString("latin1"), "base64");
  try {
    const key = isPem
      ? createPublicKey(text.toString("latin1"))
      : createPublicKey({ key: der, format: "der", type: "pkcs1" });
    const pkcs1 = key.export({ format: "der", type: "pkcs1" });
    return { fingerprint: createHash("md5").update(pkcs1).digest("hex"), key };
  } catch (error) {
    throw new RejectedInput("Is no RSA public key in PEM or PKCS#1 DER", { cause: error });
  }
}

/** A digest as it was found. */
export interface FoundDigest {
  readonly bucket: string;
  readonly key: string;
  readonly digest: Digest;
  /** Before compression, as it was signed. */
  readonly text: Uint8Array;
  /** Of its object's metadata, in hex. */
  readonly signature: string | undefined;
}

/** Says what is wrong with a digest's place or signature; undefined where it holds. */
export function digestProblem(found: FoundDigest, publicKey: DigestKey): string | undefined {
  const { bucket, key, digest, text, signature } = found;
  if (digest.digestS3Bucket !== bucket || digest.digestS3Object !== key) {
    return "has been moved from its original location";
  }
  if (digest.digestSignatureAlgorithm !== DIGEST_SIGNATURE_ALGORITHM) {
    return `is signed with an unknown algorithm, "${digest.digestSignatureAlgorithm}"`;
  }
  if (digest.digestPublicKeyFingerprint !== publicKey.fingerprint) {
    return `is signed with another key, ${digest.digestPublicKeyFingerprint}`;
  }
  if (signature === undefined) return "has no signature";
  const signed = digestSignedText(digest, digestHash(text));
  const holds = createVerify("sha256").update(signed).verify(publicKey.key, signature, "hex");
  return holds ? undefined : "has a signature that does not hold";
}
