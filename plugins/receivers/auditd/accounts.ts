// Names of this machine's accounts, for a log that has only numbers (log_format = RAW). Looked up
// in the account files when a number is first met, and kept; a change of the files is noticed.

import { readFileSync, statSync } from "node:fs";
import { LRUCache } from "lru-cache";
import type { AccountNames } from "../../sdk/index.ts";

// As many accounts as act on a machine at a time.
const NAMES_MAX = 4096;
// A larger file is no account file, or one that would stop the agent while it is read.
const FILE_BYTES_MAX = 4 * 1024 * 1024;
/** How often a file is looked at again. */
const LOOK_MS = 1000;

interface Found {
  /** Undefined where the file has no such number. */
  readonly name: string | undefined;
  /** Of the file it was looked up in. */
  readonly version: number;
}

/** Names by number out of a file in the format of passwd or group. */
export class AccountFile {
  readonly #path: string;
  readonly #clock: () => number;
  readonly #names = new LRUCache<string, Found>({ max: NAMES_MAX });
  #version = 0;
  #seen = "";
  #lookedAt = -Infinity;

  constructor(path: string, clock: () => number) {
    this.#path = path;
    this.#clock = clock;
  }

  /** The name; that of an account which is gone by now, too, if it was met before. */
  name(id: string): string | undefined {
    this.#look();
    const known = this.#names.get(id);
    if (known !== undefined && known.version === this.#version) return known.name;
    const name = this.#read(id) ?? known?.name;
    this.#names.set(id, { name, version: this.#version });
    return name;
  }

  #look(): void {
    const now = this.#clock();
    // A clock that was set back looks at once.
    if (now - this.#lookedAt < LOOK_MS && now >= this.#lookedAt) return;
    this.#lookedAt = now;
    const stats = statSync(this.#path, { throwIfNoEntry: false });
    const seen = stats === undefined ? "" : `${stats.ino} ${stats.size} ${stats.mtimeMs}`;
    if (seen !== this.#seen) this.#version++;
    this.#seen = seen;
  }

  #read(id: string): string | undefined {
    try {
      const { size } = statSync(this.#path);
      return size > FILE_BYTES_MAX ? undefined : nameIn(readFileSync(this.#path, "utf8"), id);
    } catch {
      // Without the file a number stands for itself.
      return undefined;
    }
  }
}

/** `NAME:x:ID:…`, the first line with the number. */
function nameIn(text: string, id: string): string | undefined {
  for (let at = text.indexOf(`:${id}:`); at >= 0; at = text.indexOf(`:${id}:`, at + 1)) {
    const [name, , number] = text.slice(text.lastIndexOf("\n", at) + 1, at + id.length + 1)
      .split(":");
    if (number === id && name !== undefined && /^[^\s+-]/.test(name)) return name;
  }
  return undefined;
}

/** The accounts of this machine; undefined for both kinds where the files cannot be read. */
export function localAccounts(clock: () => number): AccountNames {
  const users = new AccountFile("/etc/passwd", clock);
  const groups = new AccountFile("/etc/group", clock);
  return { user: (uid) => users.name(uid), group: (gid) => groups.name(gid) };
}
