// A place whose digests are verified: a folder or a bucket, as keys and bytes. Read only.

import { createReadStream, type Stats } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { failureOf } from "../../sdk/aws/aws-error.ts";
import type { S3 } from "../../sdk/aws/s3.ts";
import type { Json } from "../../sdk/json.ts";
import { isObject } from "../../sdk/mapping-path.ts";
import { diskError } from "../../sdk/disk-error.ts";
import { metadataKey } from "./store.ts";

/** An object as it is listed. */
export interface ListedKey {
  readonly key: string;
  /** In milliseconds since the epoch. */
  readonly modifiedAt: number;
}

/** An object as it is read. */
export interface ReadObject {
  readonly body: AsyncIterable<Uint8Array>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** See above. */
export interface VerifyPlace {
  /** What digests call it. */
  readonly bucket: string;
  /** What all keys begin with that are looked at. */
  readonly prefix: string;
  /** An object as problems name it. */
  pathOf(key: string): string;
  /** Every object, in order of the keys' bytes; nothing where the place is empty. */
  list(signal: AbortSignal): AsyncIterable<ListedKey>;
  /** Begins to read an object; undefined where there is none. */
  get(key: string, signal: AbortSignal): Promise<ReadObject | undefined>;
  close(): Promise<void>;
}

/** A trail's folder. */
export function folderPlace(directory: string, bucket?: string): VerifyPlace {
  const root = resolve(directory);
  return {
    bucket: bucket ?? basename(root),
    prefix: "",
    pathOf: (key) => `${root}/${key}`,
    list: () => listFolder(root, ""),
    async get(key) {
      // Keys come from digests, which anybody may have written: none leaves the folder.
      if (key.split("/").some((part) => /^\.*$/.test(part))) return undefined;
      const path = join(root, ...key.split("/"));
      if ((await found(path))?.isFile() !== true) return undefined;
      return { body: readBlocks(path), metadata: await readMetadata(path) };
    },
    close: () => Promise.resolve(),
  };
}

async function* listFolder(root: string, folder: string): AsyncGenerator<ListedKey> {
  const path = join(root, folder);
  const entries = await readdir(path, { withFileTypes: true }).catch((error) => {
    throw diskError("read folder", path, error);
  });
  // As a bucket lists them: a folder's slash takes part in the order.
  const names = entries.filter(({ name }) => !name.startsWith("."))
    .filter((entry) => entry.isDirectory() || entry.isFile())
    .map((entry) => entry.isDirectory() ? `${entry.name}/` : entry.name).sort();
  for (const name of names) {
    const key = folder + name;
    if (name.endsWith("/")) yield* listFolder(root, key);
    else if (!name.endsWith(metadataKey(""))) {
      const file = await found(join(root, key));
      // One that went away meanwhile is missed where something lists it.
      if (file !== undefined) yield { key, modifiedAt: file.mtimeMs };
    }
  }
}

// What is not there, or could not be spelled in this file system. All else says nothing about that.
const ABSENT = new Set(["ENOENT", "ENOTDIR", "ELOOP", "ENAMETOOLONG", "ERR_INVALID_ARG_VALUE"]);

/** Undefined where there is nothing; rejects where that cannot be known. */
async function found(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (ABSENT.has(String((error as NodeJS.ErrnoException).code))) return undefined;
    throw diskError("look at", path, error);
  }
}

async function* readBlocks(path: string): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(path);
  } catch (error) {
    throw diskError("read", path, error);
  }
}

// A signature takes some hundred.
const METADATA_BYTES_MAX = 64 * 1024;

/** `path` is that of the object. */
async function readMetadata(path: string): Promise<Readonly<Record<string, string>>> {
  const beside = metadataKey(path);
  const { size = 0 } = await found(beside) ?? {};
  if (size === 0 || size > METADATA_BYTES_MAX) return {};
  const text = await readFile(beside, "utf8").catch((error) => {
    throw diskError("read", beside, error);
  });
  try {
    const value: Json = JSON.parse(text);
    if (!isObject(value)) return {};
    const pairs = Object.entries(value).filter(([, text]) => typeof text === "string");
    return Object.fromEntries(pairs) as Record<string, string>;
  } catch {
    // Without it, or with one that cannot be read, a digest has no signature: that is told.
    return {};
  }
}

/** A bucket, or the objects in it whose keys begin with a prefix. */
export function bucketPlace(
  s3: Pick<S3, "list" | "get" | "close">,
  bucket: string,
  prefix: string,
  calledBucket = bucket,
): VerifyPlace {
  return {
    bucket: calledBucket,
    prefix,
    pathOf: (key) => `s3://${bucket}/${key}`,
    async *list(signal) {
      for await (const { objects } of s3.list({ bucket, prefix }, signal)) yield* objects;
    },
    async get(key, signal) {
      try {
        return await s3.get(bucket, key, signal);
      } catch (error) {
        if (failureOf(error)?.code === "NoSuchKey") return undefined;
        throw error;
      }
    },
    close: () => s3.close(),
  };
}
