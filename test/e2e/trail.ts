// Reads a delivered trail the way a user's tools do: every object below the folder, gunzipped.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { gunzipSync } from "node:zlib";

/** One record of a trail and the object that holds it. */
export interface Delivered {
  readonly object: string;
  readonly record: Readonly<Record<string, unknown>>;
}

/** Paths of a trail's log files, sorted. What is being written is hidden, as from any reader. */
export function trailObjects(directory: string): string[] {
  if (!existsSync(directory)) return [];
  const names = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !relative(directory, path).startsWith("."))
    .filter((path) => path.endsWith(".json.gz") && !path.includes("/CloudTrail-Digest/"));
  return names.sort();
}

/**
 * Every record of a trail, in order of object names; without what the agent says of itself (its
 * starts and stops), unless `own`.
 */
export function readTrail(directory: string, { own = false } = {}): Delivered[] {
  return trailObjects(directory).flatMap((object) => {
    const { Records } = JSON.parse(gunzipSync(readFileSync(object)).toString()) as {
      Records: Record<string, unknown>[];
    };
    return Records.map((record) => ({ object, record }))
      .filter(({ record }) => own || !String(record.eventSource).startsWith("cairn."));
  });
}
