// A place whose digests are verified: a folder or a bucket, as keys and bytes. Read only.

import { createReadStream } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { failureOf } from "../../sdk/aws/aws-error.ts";
import type { S3 } from "../../sdk/aws/s3.ts";
import type { Json } from "../../sdk/json.ts";
import { isObject } from "../../sdk/mapping-path.ts";
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
    pathOf: (key) => join(root, key),
    list: () => listFolder(root, ""),
    async get(key) {
      const path = join(root, ...key.split("/"));
      const found = await stat(path).catch(() => undefined);
      if (found?.isFile() !== true) return undefined;
      return { body: createReadStream(path), metadata: await readMetadata(join(root, key)) };
    },
    close: () => Promise.resolve(),
  };
}

async function* listFolder(root: string, folder: string): AsyncGenerator<ListedKey> {
  const entries = await readdir(join(root, folder), { withFileTypes: true });
  // As a bucket lists them: a folder's slash takes part in the order.
  const names = entries.filter(({ name }) => !name.startsWith("."))
    .filter((entry) => entry.isDirectory() || entry.isFile())
    .map((entry) => entry.isDirectory() ? `${entry.name}/` : entry.name).sort();
  for (const name of names) {
    const key = folder + name;
    if (name.endsWith("/")) yield* listFolder(root, key);
    else if (!name.endsWith(metadataKey(""))) {
      const found = await stat(join(root, key)).catch(() => undefined);
      // One that went away meanwhile is missed where something lists it.
      if (found !== undefined) yield { key, modifiedAt: found.mtimeMs };
    }
  }
}

async function readMetadata(path: string): Promise<Readonly<Record<string, string>>> {
  try {
    const value: Json = JSON.parse(await readFile(metadataKey(path), "utf8"));
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
