// Wakes a follower when its folders change, and by a slow clock where the system tells nothing.

import { type FSWatcher, watch } from "node:fs";
import { join } from "node:path";

/** Watchers at once; folders beyond it are looked at by the clock. */
const WATCHERS_MAX = 128;
/** Changes within this time make one wake-up: a writer of single lines must not cost one each. */
const COALESCE_MS = 10;

/** What woke the follower. */
export interface Changes {
  /** Names came or went: look at the folders again. */
  readonly names: boolean;
  /** Paths whose contents changed. */
  readonly paths: ReadonlySet<string>;
}

/** Collects changes until somebody waits for them. */
export class FolderWatch {
  readonly #watchers = new Map<string, FSWatcher>();
  readonly #paths = new Set<string>();
  #names = false;
  #closed = false;
  #wake: (() => void) | undefined;
  #coalescing: ReturnType<typeof setTimeout> | undefined;

  /**
   * Watches these folders and no others; those in `anew` from scratch, for a folder that was removed
   * and made again is not the one that was watched. One that cannot be watched is tried next time.
   */
  watch(folders: Iterable<string>, anew: ReadonlySet<string>): void {
    const wanted = new Set(this.#closed ? [] : [...folders].slice(0, WATCHERS_MAX));
    for (const [folder, watcher] of this.#watchers) {
      if (wanted.has(folder) && !anew.has(folder)) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    for (const folder of wanted) if (!this.#watchers.has(folder)) this.#add(folder);
  }

  /** Resolves on a change, on `poke`, or after the time; tells what changed since the last call. */
  async wait(ms: number): Promise<Changes> {
    if (this.#wake !== undefined) throw new Error("Cannot wait: somebody waits already");
    const changed = this.#names || this.#paths.size > 0;
    if (!changed || this.#coalescing !== undefined) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#wake = undefined;
    return this.take();
  }

  /** What changed since the last call, without waiting. */
  take(): Changes {
    const changes = { names: this.#names, paths: new Set(this.#paths) };
    this.#names = false;
    this.#paths.clear();
    return changes;
  }

  /** Ends a wait at once. */
  poke(): void {
    this.#names = true;
    this.#wake?.();
  }

  /** Stops watching, for good. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#coalescing);
    this.#coalescing = undefined;
    this.watch([], new Set());
    this.#wake?.();
  }

  #add(folder: string): void {
    try {
      const watcher = watch(folder, (event, name) => this.#changed(folder, event, name));
      watcher.on("error", () => this.#drop(folder));
      this.#watchers.set(folder, watcher);
    } catch {
      // No inotify, or no such folder: the clock looks instead.
    }
  }

  #drop(folder: string): void {
    this.#watchers.get(folder)?.close();
    this.#watchers.delete(folder);
    this.#names = true;
    this.#soon();
  }

  #changed(folder: string, event: string, name: string | null): void {
    if (event === "change" && name !== null) this.#paths.add(join(folder, name));
    else this.#names = true;
    this.#soon();
  }

  #soon(): void {
    this.#coalescing ??= setTimeout(() => {
      this.#coalescing = undefined;
      this.#wake?.();
    }, COALESCE_MS);
  }
}
