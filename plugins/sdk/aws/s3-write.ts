// Writing objects of S3: in one request, or in parts that become the object when the upload is
// completed. Each request carries the SHA-256 of its body, which S3 checks and keeps.

import { Buffer } from "node:buffer";
import { hash } from "node:crypto";
import { header } from "./aws-error.ts";
import { connectionError, readWithin } from "./request.ts";
import type { S3 } from "./s3.ts";
import { elements, textOf, type XmlElement } from "./xml.ts";
import { RetryableError } from "../errors.ts";

/** Which object is written, and how. */
export interface ObjectWrite {
  readonly bucket: string;
  readonly key: string;
  /** What the object is to have: content type, metadata, encryption, lock; names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Refused with `PreconditionFailed` where there is an object of that key. */
  readonly isFirst: boolean;
  /** Sends the checksum that S3 keeps with the object, beside the one that is signed. */
  readonly checksum: boolean;
  readonly signal: AbortSignal;
}

/** An upload in parts that was begun. */
export interface Upload extends Pick<ObjectWrite, "bucket" | "key"> {
  readonly id: string;
}

/** A part that S3 has. */
export interface UploadedPart {
  readonly number: number;
  readonly etag: string;
  /** In base64. */
  readonly sha256: string;
}

/** Smallest part that S3 takes, but for the last. */
export const PART_BYTES_MIN = 5 * 1024 * 1024;

const ANSWER_BYTES_MAX = 64 * 1024;

/**
 * Writes an object in one request, which is not repeated by itself: it may have been done though no
 * answer came.
 */
export async function putObject(s3: S3, write: ObjectWrite, body: Uint8Array): Promise<void> {
  const { bucket, key, headers, isFirst, signal } = write;
  const action = `Cannot write object "s3://${bucket}/${key}"`;
  const { headers: said, body: answer } = await s3.send({
    action,
    method: "PUT",
    bucket,
    key,
    headers: { ...headers, ...onlyFirst(isFirst), ...bodyHashes(body, write) },
    body,
    retriesMax: 0,
    signal,
  });
  await readAnswer(answer, action, signal);
  checkStored(header(said, "etag"), action);
}

/** Begins an upload in parts. */
export async function beginUpload(s3: S3, write: ObjectWrite): Promise<Upload> {
  const { bucket, key, headers, checksum, signal } = write;
  const action = `Cannot begin to upload object "s3://${bucket}/${key}"`;
  const algorithm: Record<string, string> = checksum
    ? { "x-amz-checksum-algorithm": "SHA256" }
    : {};
  const root = await s3.askXml({
    action,
    method: "POST",
    bucket,
    key,
    query: { uploads: "" },
    headers: { ...headers, ...algorithm },
    signal,
  });
  const id = textOf(root, "UploadId");
  if (id === undefined) throw new RetryableError(`${action}: answer names no upload`);
  return { bucket, key, id };
}

/** Uploads a part; the same number again replaces it. */
export async function uploadPart(
  s3: S3,
  upload: Upload,
  number: number,
  body: Uint8Array,
  write: ObjectWrite,
): Promise<UploadedPart> {
  const { bucket, key, id } = upload;
  const action = `Cannot upload part ${number} of object "s3://${bucket}/${key}"`;
  const hashes = bodyHashes(body, write);
  const { headers, body: answer } = await s3.send({
    action,
    method: "PUT",
    bucket,
    key,
    query: { partNumber: String(number), uploadId: id },
    headers: hashes,
    body,
    signal: write.signal,
  });
  await readAnswer(answer, action, write.signal);
  const etag = header(headers, "etag");
  if (etag === undefined) throw new RetryableError(`${action}: answer has no ETag`);
  return { number, etag, sha256: base64(hashes["x-amz-content-sha256"]!) };
}

/** Makes the object out of its parts; not repeated by itself, as putObject(). */
export async function completeUpload(
  s3: S3,
  upload: Upload,
  parts: readonly UploadedPart[],
  write: ObjectWrite,
): Promise<void> {
  const { bucket, key, id } = upload;
  const action = `Cannot complete upload of object "s3://${bucket}/${key}"`;
  const list = parts.map(({ number, etag, sha256 }) => {
    const sum = write.checksum ? `<ChecksumSHA256>${sha256}</ChecksumSHA256>` : "";
    return `<Part><PartNumber>${number}</PartNumber><ETag>${escape(etag)}</ETag>${sum}</Part>`;
  });
  const root = await s3.askXml({
    action,
    method: "POST",
    bucket,
    key,
    query: { uploadId: id },
    headers: { "content-type": "application/xml", ...onlyFirst(write.isFirst) },
    body: `<CompleteMultipartUpload>${list.join("")}</CompleteMultipartUpload>`,
    retriesMax: 0,
    signal: write.signal,
  });
  // The answer begins before the work is done, so that it can be a success that says otherwise.
  const code = textOf(root, "Code");
  if (code === undefined) return checkStored(textOf(root, "ETag"), action);
  throw new RetryableError(`${action}: ${code}: ${textOf(root, "Message") ?? ""}`, { code });
}

/** A portal or a web server says yes to everything; only a store names what it has. */
function checkStored(etag: string | undefined, action: string): void {
  if (etag !== undefined) return;
  throw new RetryableError(
    `${action}: answer has no ETag: check that endpoint and proxies lead to a store`,
    { code: "NoETag" },
  );
}

/** Gives up an upload and frees what its parts take; one that is not there is fine. */
export async function abortUpload(s3: S3, upload: Upload, signal: AbortSignal): Promise<void> {
  const { bucket, key, id } = upload;
  const action = `Cannot give up upload of object "s3://${bucket}/${key}"`;
  const query = { uploadId: id };
  try {
    const { body } = await s3.send({ action, method: "DELETE", bucket, key, query, signal });
    await readAnswer(body, action, signal);
  } catch (error) {
    const isGone = error instanceof RetryableError && error.code === "NoSuchUpload";
    if (!isGone) throw error;
  }
}

/** The uploads of one key that were begun and neither completed nor given up; at most 1,000. */
export async function uploadsOf(
  s3: S3,
  object: Pick<ObjectWrite, "bucket" | "key" | "signal">,
): Promise<readonly Upload[]> {
  const { bucket, key, signal } = object;
  const root = await s3.askXml({
    action: `Cannot list uploads of object "s3://${bucket}/${key}"`,
    method: "GET",
    bucket,
    query: { uploads: "", prefix: key },
    signal,
  });
  return elements(root, "Upload").flatMap((upload: XmlElement) => {
    const id = textOf(upload, "UploadId");
    return textOf(upload, "Key") === key && id !== undefined ? [{ bucket, key, id }] : [];
  });
}

function onlyFirst(isFirst: boolean): Readonly<Record<string, string>> {
  return isFirst ? { "if-none-match": "*" } : {};
}

/** Reckoned once: for the signature, for S3 to keep, and as MD5 where a locked object needs it. */
function bodyHashes(body: Uint8Array, { headers, checksum }: ObjectWrite): Record<string, string> {
  const sha256 = hash("sha256", body, "hex");
  const isLocked = Object.keys(headers).some((name) => name.startsWith("x-amz-object-lock"));
  return {
    "x-amz-content-sha256": sha256,
    ...(checksum ? { "x-amz-checksum-sha256": base64(sha256) } : {}),
    ...(isLocked ? { "content-md5": hash("md5", body, "base64") } : {}),
  };
}

function base64(hex: string): string {
  return Buffer.from(hex, "hex").toString("base64");
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}

/** Success is success only when its end has come, too. */
async function readAnswer(
  body: AsyncIterable<Uint8Array>,
  action: string,
  signal: AbortSignal,
): Promise<void> {
  try {
    await readWithin(body, ANSWER_BYTES_MAX);
  } catch (error) {
    signal.throwIfAborted();
    throw connectionError(action, error);
  }
}
