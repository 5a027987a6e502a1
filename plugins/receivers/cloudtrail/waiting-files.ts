// Files that are found and not done: still written, breaking off, or unreadable. They are looked at
// again with every search, and this tells when one is worth opening.

import type { ListedFile } from "./find.ts";

interface Waiting {
  readonly size: number;
  readonly modifiedAt: number;
  /** When the file was first seen as it is now, in milliseconds since the epoch. */
  readonly since: number;
  /** It was read, and breaks off. */
  readonly cut: boolean;
}

/** What to do with a file now: leave it, take what it holds, or take it as it will stay. */
export type Verdict = "wait" | "take" | "final";

/** How long files are waited for, in milliseconds. */
export interface Patience {
  readonly settleMs: number;
  readonly incompleteMs: number;
}

/** Remembers the waiting files of a receiver. */
export class WaitingFiles {
  readonly #patience: Patience;
  readonly #files = new Map<string, Waiting>();
  #seen = new Set<string>();

  constructor(patience: Patience) {
    this.#patience = patience;
  }

  /** How many break off. */
  get cut(): number {
    return [...this.#files.values()].filter((file) => file.cut).length;
  }

  /** When the next look is due though nothing changes, in milliseconds from now. */
  get nextMs(): number {
    return this.#files.size > this.cut ? this.#patience.settleMs : Infinity;
  }

  /** Judges a file as it was found at `now`. */
  judge(file: ListedFile, now: number): Verdict {
    const known = this.#files.get(file.path);
    this.#seen.add(file.path);
    if (known?.size !== file.size || known.modifiedAt !== file.modifiedAt) {
      return this.#first(file, now);
    }
    const quietMs = now - known.since;
    if (known.cut) return quietMs >= this.#patience.incompleteMs ? "final" : "wait";
    return quietMs >= this.#patience.settleMs ? "take" : "wait";
  }

  /** The file was read, and breaks off. */
  setCut(file: ListedFile, now: number): void {
    const known = this.#files.get(file.path);
    const since = known?.size === file.size ? known.since : now;
    const { size, modifiedAt } = file;
    this.#files.set(file.path, { size, modifiedAt, since, cut: true });
  }

  delete(path: string): void {
    this.#files.delete(path);
  }

  /** A search is over: files that it did not find wait no longer. */
  endSearch(): void {
    for (const path of this.#files.keys()) if (!this.#seen.has(path)) this.#files.delete(path);
    this.#seen = new Set();
  }

  #first(file: ListedFile, now: number): Verdict {
    const { path, size, modifiedAt } = file;
    // The end of gzip data tells itself; of other files only that nothing comes any more.
    const whole = path.endsWith(".gz") || now - modifiedAt >= this.#patience.settleMs;
    if (whole) return "take";
    this.#files.set(path, { size, modifiedAt, since: now, cut: false });
    return "wait";
  }
}
