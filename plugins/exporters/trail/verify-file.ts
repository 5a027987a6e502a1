// The text of an object inside its gzip: read whole where it is a digest, hashed where it is a log
// file. Whoever wrote it may mean harm: nothing of it fills memory. What is wrong with it is a problem; what is wrong with the place is thrown.

import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { readWithin } from "../../sdk/aws/request.ts";
import { gunzipBlocks, GunzipError } from "../../sdk/gunzip.ts";
import { RejectedInput } from "../../sdk/index.ts";
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

// An entry of a digest takes some hundred bytes; less is none, and a million of those fill memory.
const ENTRY_BYTES_MIN = 64;
const BRACES_FREE = 1000;
const ENTRY_TEXTS = ["s3Bucket", "s3Object", "hashValue", "hashAlgorithm"] as const;

/**
 * Throws RejectedInput for a text that is made to fill memory when it is read as a digest: with
 * objects by the million, or with entries that are none, each of which would be told.
 */
export function checkPlausible(text: Uint8Array): void {
  let braces = 0;
  for (let i = 0; i < text.length; i++) {
    const byte = text[i];
    if (byte === 0x7b || byte === 0x5b) braces++;
  }
  if (braces * ENTRY_BYTES_MIN > text.length + BRACES_FREE * ENTRY_BYTES_MIN) {
    throw new RejectedInput("Digest has too many objects for its length");
  }
  let files: unknown;
  try {
    files = JSON.parse(Buffer.from(text.buffer, text.byteOffset, text.length).toString())?.logFiles;
  } catch {
    return;
  }
  const at = Array.isArray(files) ? files.findIndex((file) => !isEntry(file)) : -1;
  if (at >= 0) throw new RejectedInput(`Digest is not valid: logFiles.${at}`);
}

function isEntry(file: unknown): boolean {
  const entry = (file ?? {}) as Readonly<Record<string, unknown>>;
  const isTime = (value: unknown) => value === undefined || value === null || isText(value);
  return ENTRY_TEXTS.every((name) => isText(entry[name])) && isTime(entry.newestEventTime) &&
    isTime(entry.oldestEventTime);
}

function isText(value: unknown): value is string {
  return typeof value === "string";
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
