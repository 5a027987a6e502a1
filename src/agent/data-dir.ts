// The folder an agent keeps everything in: where its parts lie, and errors an operator can act on.

import { constants } from "node:fs";
import { access, mkdir } from "node:fs/promises";
import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

// The kernel takes about 107 bytes for a socket's path.
const SOCKET_PATH_BYTES_MAX = 100;

/** The data_dir cannot be used as it is: locked, not writable, full, or of a newer version. */
export class DataDirError extends Error {
  override readonly name = "DataDirError";
  readonly code = "CAIRN_DATA_DIR";
}

/** Where the parts of a data_dir lie. */
export interface DataDir {
  readonly path: string;
  /** Folder of a pipeline's queue. */
  queue(pipeline: string): string;
  /** Folder of a pipeline's dead letters. */
  deadLetters(pipeline: string): string;
  /** File of a component's state. */
  state(kind: string, id: string): string;
  /** Folder of a component's own; there where it has made one. */
  component(kind: string, id: string): string;
  /** Where a running agent answers. */
  readonly socket: string;
}

/** Names the parts; touches nothing. */
export function dataDirAt(path: string): DataDir {
  return {
    path,
    queue: (pipeline) => join(path, "queue", pipeline),
    deadLetters: (pipeline) => join(path, "dead-letters", pipeline),
    // A receiver and an exporter may share an id; an id may hold a slash.
    state: (kind, id) => join(path, "state", `${kind}.${encodeURIComponent(id)}.json`),
    component: (kind, id) => join(path, "components", `${kind}.${encodeURIComponent(id)}`),
    socket: socketPath(path),
  };
}

/** Makes the folder where it is missing. Throws DataDirError where it cannot be written. */
export async function prepareDataDir(dataDir: DataDir): Promise<void> {
  try {
    // Records hold what people did: for the agent's user only.
    await mkdir(join(dataDir.path, "state"), { recursive: true, mode: 0o700 });
    await access(dataDir.path, constants.W_OK | constants.X_OK);
  } catch (error) {
    const cause = (error as NodeJS.ErrnoException).code === "ENOENT"
      ? await whyNotMade(dataDir.path) ?? error
      : error;
    throw asDataDirError(dataDir.path, cause) ?? cause;
  }
}

/** Node says ENOENT where the nearest folder that exists cannot be written; this asks it. */
async function whyNotMade(path: string): Promise<unknown> {
  try {
    await access(path, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    const parent = dirname(path);
    const isMissing = (error as NodeJS.ErrnoException).code === "ENOENT" && parent !== path;
    return isMissing ? await whyNotMade(parent) : error;
  }
}

const ADVICE: Readonly<Record<string, string>> = {
  EACCES: "permission denied; run as a user who may write there, or set agent.data_dir",
  EPERM: "permission denied; run as a user who may write there, or set agent.data_dir",
  EROFS: "the file system is read-only; set agent.data_dir to a folder that can be written",
  ENOSPC: "the disk is full; free some space, or set agent.data_dir to another disk",
  EDQUOT: "the disk quota is used up; free some space, or set agent.data_dir to another disk",
  ENOTDIR: "a part of the path is a file or a broken link; set agent.data_dir to a folder",
  EEXIST: "it is a file or a broken link; set agent.data_dir to a folder",
  ELOOP: "its symbolic links go in a circle; set agent.data_dir to a folder",
  ENAMETOOLONG: "its name is too long for the file system; set a shorter agent.data_dir",
  EIO: "the disk does not work; check it",
  ENOENT: "it is gone; make the folder again",
};

/** The error in words an operator can act on; undefined where it is about something else. */
export function asDataDirError(path: string, error: unknown): DataDirError | undefined {
  if (error instanceof DataDirError) return error;
  const { code, message, name } = error as NodeJS.ErrnoException;
  const { cause } = error as Error;
  // A queue says what it could not open; which error of the disk it was stands below.
  if (code === undefined && cause instanceof Error) return asDataDirError(path, cause);
  // Deno refuses what its permissions leave out with an error of its own.
  if (name === "NotCapable") return problem(path, message, error);
  if (code?.startsWith("CAIRN_QUEUE")) return problem(path, message, error);
  const advice = ADVICE[code ?? ""];
  return advice === undefined ? undefined : problem(path, advice, error);
}

function problem(path: string, reason: string, cause: unknown): DataDirError {
  return new DataDirError(`Cannot use data_dir "${path}": ${reason}`, { cause });
}

function socketPath(path: string): string {
  const within = join(path, "cairn.sock");
  if (Buffer.byteLength(within) <= SOCKET_PATH_BYTES_MAX) return within;
  // The same for every way of writing the path, so that `cairn status` finds it.
  const hash = createHash("sha256").update(resolve(path)).digest("hex").slice(0, 16);
  return join(tmpdir(), `cairn-${hash}.sock`);
}
