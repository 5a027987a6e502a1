// One process per queue folder: a file `lock` that names its owner. A lock whose owner has died is
// taken over; two processes that try at once cannot both succeed.
//
// Whether an owner lives, /proc and its process id tell. A process that may not look there, as on
// Deno with few permissions, also holds an advisory lock on the folder (Files.lockFolder), and says
// so in its file: whoever gets that lock knows that the owner has died. All that such a process
// creates, it creates under the advisory lock; so what is left of it is judged the same way.
//
// Taking over needs a second lock, named after the dead owner, while the first is looked at again
// and replaced: so only one process at a time can replace a given owner's lock. If that process
// dies too, its own lock is stale in turn and taken over the same way.

import { Buffer } from "node:buffer";
import { join } from "node:path";
import process from "node:process";
import { crc32 } from "node:zlib";
import { isMap } from "./codec.ts";
import { errorCode } from "./files.ts";
import type { Files } from "./files.ts";

/** Another process has the folder open. */
export class QueueLockedError extends Error {
  override readonly name = "QueueLockedError";
  readonly code = "CAIRN_QUEUE_LOCKED";
  /** The owner's process id, where it is known. */
  readonly pid: number | undefined;
  constructor(directory: string, pid: number | undefined, hint = "") {
    const owner = pid === undefined ? "another process" : `process ${pid}`;
    super(`Cannot open queue "${directory}": locked by ${owner}${hint}`);
    this.pid = pid;
  }
}

interface Owner {
  readonly pid: number;
  /** Tells this process from a later one with the same number: boot and start time. */
  readonly incarnation: string | undefined;
  /** Whether it holds the folder's advisory lock as long as it lives. */
  readonly advisory: boolean;
}

// Between making a lock and writing its owner lie microseconds; a lock that stays empty this long
// was left by a crash. An advisory lock that is held this long is no longer being given back, and
// its holder has had the time to say who it is.
const TRIES = 20;
const WAIT_MS_MAX = 10;
const OWNER_BYTES_MAX = 1024;
const BRACE = 0x7b;
// Each level is a process that died while it took over; nobody has this many.
const DEPTH_MAX = 8;

/**
 * Takes the lock; resolves with the function that gives it back. Throws QueueLockedError. `waitMs`:
 * how long to wait, at most, before a lock that is being written or given back is looked at again.
 */
export async function lock(
  files: Files,
  directory: string,
  waitMs: number,
): Promise<() => Promise<void>> {
  const path = join(directory, "lock");
  waitMs = Math.min(waitMs, WAIT_MS_MAX);
  const unlock = await takeFolder(files, { directory, path, waitMs });
  try {
    const me: Owner = {
      pid: process.pid,
      incarnation: await incarnation(files, process.pid),
      advisory: unlock !== undefined,
    };
    await acquire(files, { directory, path, me, depth: 0, waitMs });
    // The file goes first: without its file, the advisory lock of a living process says nothing.
    return () => release(files, { path, me, waitMs }).finally(unlock);
  } catch (error) {
    unlock?.();
    throw error;
  }
}

/** The process that has the folder open, by its lock file alone; takes nothing. */
export async function lockOwner(files: Files, directory: string): Promise<number | undefined> {
  const path = join(directory, "lock");
  const held = await readOwner(files, { path, waitMs: WAIT_MS_MAX });
  if (held?.owner === undefined) return undefined;
  const me = {
    pid: process.pid,
    incarnation: await incarnation(files, process.pid),
    advisory: false,
  };
  try {
    await refuseLiving(files, { directory, path, me, depth: 0, waitMs: 0 }, held.owner);
    return undefined;
  } catch (error) {
    if (error instanceof QueueLockedError) return error.pid;
    throw error;
  }
}

/** Takes the advisory lock; resolves with undefined where there is none to be had. */
async function takeFolder(
  files: Files,
  attempt: Pick<Attempt, "directory" | "path" | "waitMs">,
): Promise<(() => void) | undefined> {
  const { directory, waitMs } = attempt;
  for (let tries = 1; files.lockFolder !== undefined; tries++) {
    let unlock: (() => void) | undefined;
    try {
      unlock = await files.lockFolder(directory);
    } catch {
      // Some network file systems have none: process ids have to do.
      return undefined;
    }
    if (unlock !== undefined) return unlock;
    if (tries === TRIES) {
      const held = await readOwner(files, attempt);
      throw new QueueLockedError(directory, held?.owner?.pid);
    }
    await pause(waitMs);
  }
  return undefined;
}

async function pause(ms: number): Promise<void> {
  if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
}

interface Attempt {
  readonly directory: string;
  readonly path: string;
  readonly me: Owner;
  readonly depth: number;
  readonly waitMs: number;
}

async function acquire(files: Files, attempt: Attempt): Promise<void> {
  const { path, me } = attempt;
  if (attempt.depth > DEPTH_MAX) throw new Error(`Cannot lock "${path}": too many stale locks`);
  for (;;) {
    if (await create(files, path, me)) return;
    const held = await readOwner(files, attempt);
    if (held === undefined) continue;
    await refuseLiving(files, attempt, held.owner);
    // The claim's name is the stale lock's content: a claim never serves for another lock.
    const claim = `${path}.${crc32(held.bytes).toString(16)}`;
    await acquire(files, { ...attempt, path: claim, depth: attempt.depth + 1 });
    try {
      const again = await readOwner(files, attempt);
      if (again === undefined || !again.bytes.equals(held.bytes)) continue;
      // Another with the dead owner's number may have come and gone through all this meanwhile.
      await refuseLiving(files, attempt, again.owner);
      await files.remove(path);
    } finally {
      await release(files, { ...attempt, path: claim });
    }
  }
}

async function create(files: Files, path: string, me: Owner): Promise<boolean> {
  let file;
  try {
    file = await files.open(path, "create");
  } catch (error) {
    if (errorCode(error) === "EEXIST") return false;
    throw error;
  }
  try {
    await file.write(Buffer.from(JSON.stringify(me)), 0);
    return true;
  } catch (error) {
    await files.remove(path).catch(() => {});
    throw error;
  } finally {
    await file.close();
  }
}

/** The lock's owner (undefined where its content is no owner's), or undefined when it has gone. */
async function readOwner(
  files: Files,
  { path, waitMs }: Pick<Attempt, "path" | "waitMs">,
): Promise<{ bytes: Buffer; owner: Owner | undefined } | undefined> {
  for (let tries = 1;; tries++) {
    let bytes: Buffer;
    try {
      bytes = Buffer.from(await files.readFile(path));
    } catch (error) {
      if (errorCode(error) === "ENOENT") return undefined;
      throw error;
    }
    if (bytes.length > 0 || tries === TRIES) return { bytes, owner: parseOwner(bytes) };
    await pause(waitMs);
  }
}

function parseOwner(bytes: Buffer): Owner | undefined {
  // What a power loss left of it may be anything.
  if (bytes[0] !== BRACE || bytes.length > OWNER_BYTES_MAX) return undefined;
  try {
    const value: unknown = JSON.parse(bytes.toString());
    if (!isMap(value) || !Number.isSafeInteger(value.pid) || Number(value.pid) < 1) {
      return undefined;
    }
    const known = typeof value.incarnation === "string" ? value.incarnation : undefined;
    return { pid: Number(value.pid), incarnation: known, advisory: value.advisory === true };
  } catch {
    return undefined;
  }
}

async function refuseLiving(
  files: Files,
  { directory, path, me }: Attempt,
  owner: Owner | undefined,
): Promise<void> {
  if (owner === undefined) return;
  // It would still hold what this process now holds.
  if (owner.advisory && me.advisory) return;
  if (owner.incarnation !== undefined && me.incarnation !== undefined) {
    if (await incarnation(files, owner.pid) !== owner.incarnation) return;
    throw new QueueLockedError(directory, owner.pid);
  }
  // Without /proc, a later process with the same number cannot be told from the owner.
  if (owner.pid !== process.pid && !mayLive(owner.pid)) return;
  const hint = `; if that is no Cairn process, remove "${path}"`;
  throw new QueueLockedError(directory, owner.pid, hint);
}

function mayLive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) !== "ESRCH";
  }
}

/** Boot id and start time of a living process; undefined where there is none or no /proc. */
async function incarnation(files: Files, pid: number): Promise<string | undefined> {
  try {
    const boot = Buffer.from(await files.readFile("/proc/sys/kernel/random/boot_id")).toString();
    const stat = Buffer.from(await files.readFile(`/proc/${pid}/stat`)).toString();
    // The program's name stands in parentheses and may hold spaces; what follows has fixed places.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // A zombie holds no files any more.
    return fields[0] === "Z" || fields[0] === "X" ? undefined : `${boot.trim()}/${fields[19]}`;
  } catch {
    return undefined;
  }
}

async function release(
  files: Files,
  attempt: Pick<Attempt, "path" | "me" | "waitMs">,
): Promise<void> {
  const { path, me } = attempt;
  const held = await readOwner(files, attempt);
  if (held?.owner?.pid === me.pid && held.owner.incarnation === me.incarnation) {
    await files.remove(path);
  }
}
