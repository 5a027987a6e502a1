// A trail's objects in a bucket. Each is written once: the store is asked to refuse a second one
// where it can, and looked into first where an earlier attempt may have succeeded. What is longer
// than a part is uploaded in parts while it is still being compressed.

import { failureOf } from "../../sdk/aws/aws-error.ts";
import type { ObjectHead, S3 } from "../../sdk/aws/s3.ts";
import {
  abortUpload,
  beginUpload,
  completeUpload,
  type ObjectWrite,
  putObject,
  type Upload,
  type UploadedPart,
  uploadPart,
  uploadsOf,
} from "../../sdk/aws/s3-write.ts";
import { type Log, RetryableError, type StateStore } from "../../sdk/index.ts";
import { partsOf } from "./parts.ts";
import type { ObjectAbout, ObjectBody, TrailStore } from "./store.ts";

/** How objects are written. */
export interface S3StoreOptions {
  readonly bucket: string;
  /** What every object is to have: encryption, storage class, tags. */
  readonly headers: () => Readonly<Record<string, string>>;
  readonly checksum: boolean;
  /** Whether the store is asked to refuse a second object of a key. */
  readonly writeOnce: boolean;
  readonly partBytes: number;
  readonly state: StateStore;
  readonly log: Log;
  readonly clock: () => number;
}

/** The metadata that holds the hash of what an object's text was before compression. */
const HASH_METADATA = "cairn-text-sha256";

/** Under this key: those of objects whose upload in parts may be under way. */
const UPLOADS = "uploads";

// What a store answers that does not know the header If-None-Match.
const UNKNOWN_CONDITION = new Set([
  "NotImplemented",
  "InvalidArgument",
  "InvalidRequest",
  "Http501",
  "Http400",
]);

// Parts that are not needed any more go in a moment or later.
const ABORT_MS = 5000;

/** A bucket as a trail's store. */
export class S3Store implements TrailStore {
  readonly bucket: string;
  readonly #s3: S3;
  readonly #options: S3StoreOptions;
  /** Objects whose writing was begun, and not seen to succeed. */
  readonly #doubtful = new Set<string>();
  /** Objects that are being uploaded in parts. */
  readonly #uploading = new Set<string>();
  /** Objects that parts may lie around of, and that nobody uploads now. */
  readonly #leftOver = new Set<string>();
  #openedAt = Infinity;
  #isWriteOnce: boolean;

  constructor(s3: S3, options: S3StoreOptions) {
    this.#s3 = s3;
    this.#options = options;
    this.bucket = options.bucket;
    this.#isWriteOnce = options.writeOnce;
  }

  async open(signal: AbortSignal): Promise<void> {
    const { state, clock } = this.#options;
    this.#openedAt = clock();
    for (const key of texts(state.get(UPLOADS))) this.#leftOver.add(key);
    await this.#clearLeftOver(signal);
  }

  async close(): Promise<void> {
    await this.#s3.close();
  }

  async put(
    key: string,
    body: ObjectBody,
    about: ObjectAbout,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#clearLeftOver(signal);
    const isDoubtful = this.#doubtful.has(key) || (about.plannedAt ?? 0) <= this.#openedAt;
    if (isDoubtful && await this.#isThere(key, about, signal) === true) return this.#sure(key);
    this.#doubtful.add(key);
    try {
      await this.#write(key, body, about, signal);
    } catch (error) {
      if (!isCode(error, "PreconditionFailed", "Http412")) throw error;
      // Who may not look is told by the key: it names what is in the object.
      if (await this.#isThere(key, about, signal) === false) throw error;
    }
    this.#sure(key);
  }

  #sure(key: string): void {
    this.#doubtful.delete(key);
  }

  /** Whether the object is there; undefined where that cannot be known. Throws for another one. */
  async #isThere(
    key: string,
    about: ObjectAbout,
    signal: AbortSignal,
  ): Promise<boolean | undefined> {
    let found: ObjectHead;
    try {
      found = await this.#s3.head(this.bucket, key, signal);
    } catch (error) {
      const status = failureOf(error)?.status;
      if (status === 404) return false;
      if (status === 403) return undefined;
      throw error;
    }
    const wanted = metadataOf(about);
    const differs = Object.keys(wanted).find((name) => found.metadata[name] !== wanted[name]);
    if (differs === undefined) return true;
    throw new RetryableError(
      `Cannot write object "s3://${this.bucket}/${key}": another object is there, with other ` +
        `metadata "${differs}"; it is not written over: find out who wrote it and move it away`,
      { code: "ObjectDiffers" },
    );
  }

  async #write(
    key: string,
    body: ObjectBody,
    about: ObjectAbout,
    signal: AbortSignal,
  ): Promise<void> {
    const write = this.#describe(key, about, signal);
    let upload: Upload | undefined;
    const parts: UploadedPart[] = [];
    try {
      for await (const { bytes, isLast } of partsOf(body, this.#options.partBytes)) {
        signal.throwIfAborted();
        if (upload === undefined && isLast) {
          return await this.#once(write, (write) => putObject(this.#s3, write, bytes));
        }
        upload ??= await this.#beginUpload(write);
        parts.push(await uploadPart(this.#s3, upload, parts.length + 1, bytes, write));
      }
      const begun = upload!;
      await this.#once(write, (write) => completeUpload(this.#s3, begun, parts, write));
      await this.#forget(key);
    } catch (error) {
      await this.#abort(key, upload);
      throw error;
    }
  }

  /** Writes with the condition, and without for good where the store does not know it. */
  async #once(write: ObjectWrite, send: (write: ObjectWrite) => Promise<void>): Promise<void> {
    try {
      return await send({ ...write, isFirst: this.#isWriteOnce });
    } catch (error) {
      if (!this.#isWriteOnce || !isUnknownCondition(error)) throw error;
      await send({ ...write, isFirst: false });
      // Now it is known to have been the reason.
      this.#isWriteOnce = false;
      this.#options.log.info("Store does not know If-None-Match: objects are looked up instead");
    }
  }

  #describe(key: string, about: ObjectAbout, signal: AbortSignal): ObjectWrite {
    const { checksum, headers } = this.#options;
    const metadata = Object.entries(metadataOf(about));
    return {
      bucket: this.bucket,
      key,
      headers: {
        "content-type": about.contentType,
        ...(about.contentEncoding === undefined
          ? undefined
          : { "content-encoding": about.contentEncoding }),
        ...Object.fromEntries(metadata.map(([name, value]) => [`x-amz-meta-${name}`, value])),
        ...headers(),
      },
      isFirst: this.#isWriteOnce,
      checksum,
      signal,
    };
  }

  async #beginUpload(write: ObjectWrite): Promise<Upload> {
    // Before it is begun: whatever happens then, its parts are found again.
    this.#uploading.add(write.key);
    await this.#saveUploads();
    return await beginUpload(this.#s3, write);
  }

  /** Gives up an upload that was begun, or may have been. */
  async #abort(key: string, upload: Upload | undefined): Promise<void> {
    if (!this.#uploading.delete(key)) return;
    // It stays in the list until it is given up: now, or before the next object is written.
    this.#leftOver.add(key);
    if (upload === undefined) return;
    try {
      await abortUpload(this.#s3, upload, AbortSignal.timeout(ABORT_MS));
      await this.#forget(key);
    } catch {
      // What failed the upload is told; this has time.
    }
  }

  async #clearLeftOver(signal: AbortSignal): Promise<void> {
    for (const key of this.#leftOver) {
      try {
        for (const upload of await uploadsOf(this.#s3, { bucket: this.bucket, key, signal })) {
          await abortUpload(this.#s3, upload, signal);
        }
      } catch (error) {
        if (failureOf(error)?.status !== 403) throw error;
        const { message } = error as Error;
        this.#options.log.warn(
          `${message}; or let a lifecycle rule of the bucket give up incomplete uploads`,
        );
      }
      await this.#forget(key);
    }
  }

  async #forget(key: string): Promise<void> {
    this.#uploading.delete(key);
    this.#leftOver.delete(key);
    await this.#saveUploads();
  }

  async #saveUploads(): Promise<void> {
    const keys = [...this.#uploading, ...this.#leftOver];
    await this.#options.state.set(UPLOADS, keys.length === 0 ? undefined : keys);
  }
}

function metadataOf({ metadata, textHash }: ObjectAbout): Readonly<Record<string, string>> {
  return { ...metadata, ...(textHash === undefined ? undefined : { [HASH_METADATA]: textHash }) };
}

function isCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof RetryableError && codes.includes(error.code);
}

function isUnknownCondition(error: unknown): boolean {
  return error instanceof RetryableError && UNKNOWN_CONDITION.has(error.code);
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === "string") : [];
}
