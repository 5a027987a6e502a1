// What a failed file call means to the person who can mend it.

import { RetryableError } from "./errors.ts";

const CAUSES: Readonly<Record<string, string>> = {
  ENOSPC: "no space left on the disk: free some, records wait in the queue",
  EDQUOT: "the disk quota is used up: raise it or free some, records wait in the queue",
  EACCES: "permission denied: let the agent's account write there",
  EPERM: "not permitted: let the agent's account write there",
  EROFS: "the file system is read-only: mount it for writing",
  ENOTDIR: "a part of the path is a file, not a folder: move it away",
  EISDIR: "there is a folder of that name: move it away",
  ENAMETOOLONG: "the path is too long: choose a shorter directory or prefix",
  EXDEV: "the folder spans two disks: choose a directory on one",
  EIO: "the disk reports an error: check it",
  EMFILE: "too many open files: raise the agent's limit",
};

/** Makes a RetryableError of a failed file call: mending the disk lets the next attempt through. */
export function diskError(action: string, path: string, error: unknown): RetryableError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const cause = CAUSES[code] ?? (error instanceof Error ? error.message : String(error));
  const options = code === "" ? { cause: error } : { cause: error, code };
  return new RetryableError(`Cannot ${action} "${path}": ${cause}`, options);
}
