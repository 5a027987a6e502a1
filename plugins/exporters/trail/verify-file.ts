// The text of an object inside its gzip: read whole where it is a digest, hashed where it is a log
// file. What is wrong with it is a problem; what is wrong with the place is thrown.

import { createHash } from "node:crypto";
import { readWithin } from "../../sdk/aws/request.ts";
import { gunzipBlocks, GunzipError } from "../../sdk/gunzip.ts";
import type { VerifyPlace } from "./verify-place.ts";

// A hundred thousand log files take 42 MB in a digest.
const DIGEST_BYTES_MAX = 64 * 1024 * 1024;
// Five times what CloudTrail delivers.
const LOG_FILE_BYTES_MAX = 256 * 1024 * 1024;

/** An object's text, or what is wrong with it. */
export type TextOf<Text> =
  | { readonly text: Text; readonly metadata: Readonly<Record<string, string>> }
  | { readonly problem: string };

/** Reads a digest's text; undefined where there is no object. */
export async function readText(
  place: VerifyPlace,
  key: string,
  signal: AbortSignal,
): Promise<TextOf<Uint8Array> | undefined> {
  const object = await place.get(key, signal);
  if (object === undefined) return undefined;
  try {
    const text = await readWithin(gunzipBlocks(object.body), DIGEST_BYTES_MAX);
    return { text, metadata: object.metadata };
  } catch (error) {
    return problemOf(error);
  }
}

/** Hashes a log file's text, in hex; undefined where there is no object. */
export async function hashText(
  place: VerifyPlace,
  key: string,
  signal: AbortSignal,
): Promise<TextOf<string> | undefined> {
  const object = await place.get(key, signal);
  if (object === undefined) return undefined;
  const hash = createHash("sha256");
  let bytes = 0;
  try {
    for await (const block of gunzipBlocks(object.body)) {
      bytes += block.length;
      if (bytes > LOG_FILE_BYTES_MAX) throw new RangeError("Text is too long");
      hash.update(block);
    }
  } catch (error) {
    return problemOf(error);
  }
  return { text: hash.digest("hex"), metadata: object.metadata };
}

function problemOf(error: unknown): { problem: string } {
  if (error instanceof GunzipError) return { problem: `is broken: ${error.message}` };
  if (error instanceof RangeError) return { problem: "is longer than any that was delivered" };
  throw error;
}
