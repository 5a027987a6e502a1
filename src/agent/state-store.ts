// Small durable state of one component: a JSON file in data_dir/state, replaced as a whole.

import { dirname } from "node:path";
import type { Json, JsonObject, Log, StateStore } from "../../plugins/sdk/index.ts";
import { errorCode, type Files, realFiles } from "../queue/files.ts";

// State is where one got to, not data: more is a mistake that would be rewritten on every change.
const STATE_BYTES_MAX = 4 * 1024 * 1024;

/**
 * Opens a component's state. A file that cannot be read as JSON is moved to `.broken`, said in the
 * log, and the state starts empty. `set` rejects where the state could not be made durable.
 */
export async function openStateStore(
  path: string,
  log: Log,
  files: Files = realFiles,
): Promise<StateStore> {
  const state = new Map<string, Json>(
    Object.entries(await load(path, log, files)) as [string, Json][],
  );
  let last: Promise<void> = Promise.resolve();
  let waiting: Promise<void> | undefined;
  const save = async () => {
    waiting = undefined;
    await replace(path, state, files);
  };
  return {
    get: (key) => state.get(key),
    set(key, value) {
      if (value === undefined) state.delete(key);
      else state.set(key, value);
      // Changes that arrive during a write share the next one.
      waiting ??= last = last.catch(() => undefined).then(save);
      return waiting;
    },
  };
}

async function load(path: string, log: Log, files: Files): Promise<JsonObject> {
  let bytes: Uint8Array;
  try {
    bytes = await files.readFile(path);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return {};
    throw error;
  }
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return value as JsonObject;
    }
  } catch {
    // Told below, with the value that is no object.
  }
  await files.rename(path, `${path}.broken`);
  log.error("State is unreadable: set aside, starting without it", { file: `${path}.broken` });
  return {};
}

async function replace(path: string, state: Map<string, Json>, files: Files): Promise<void> {
  const bytes = new TextEncoder().encode(JSON.stringify(Object.fromEntries(state)));
  if (bytes.length > STATE_BYTES_MAX) {
    throw new Error(`Cannot save state "${path}": larger than ${STATE_BYTES_MAX} bytes`);
  }
  const temporary = `${path}.tmp`;
  await files.remove(temporary).catch((error: unknown) => {
    if (errorCode(error) !== "ENOENT") throw error;
  });
  const file = await files.open(temporary, "create");
  try {
    await file.write(bytes, 0);
    await file.datasync();
  } finally {
    await file.close();
  }
  await files.rename(temporary, path);
  await files.syncFolder(dirname(path));
}
