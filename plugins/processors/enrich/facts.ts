// Facts about where the agent runs, as they stand in a record: short texts, none empty.

import { readFile } from "node:fs/promises";
import type { JsonObject } from "../../sdk/index.ts";

/** Longest text that is taken over. */
export const FACT_LENGTH_MAX = 1024;

// Files of facts are a few lines; what is longer is something else.
const FILE_BYTES_MAX = 256 * 1024;

/** The object without members that say nothing; undefined where none is left. */
export function facts(members: Readonly<Record<string, unknown>>): JsonObject | undefined {
  const said: Record<string, JsonObject[string]> = {};
  for (const [name, value] of Object.entries(members)) {
    if (typeof value === "string") {
      const text = value.trim();
      if (text !== "") said[name] = text.slice(0, FACT_LENGTH_MAX);
    } else if (typeof value === "number" || typeof value === "boolean") said[name] = value;
    else if (typeof value === "object" && value !== null) {
      const inner = facts(value as Readonly<Record<string, unknown>>);
      if (inner !== undefined) said[name] = inner;
    }
  }
  return Object.keys(said).length === 0 ? undefined : said;
}

/** A small text file; undefined where it is not there or may not be read. */
export async function readFact(path: string): Promise<string | undefined> {
  try {
    const bytes = await readFile(path);
    return bytes.length > FILE_BYTES_MAX ? undefined : bytes.toString("utf8");
  } catch {
    // Another kind of machine, or not for this account: either way there is nothing to say.
    return undefined;
  }
}
