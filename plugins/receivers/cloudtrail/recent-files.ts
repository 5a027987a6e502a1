// The files that were taken last, for a queue that may announce one twice: two sets, the older of
// which is emptied when the newer is full.

import type { Position } from "../../sdk/index.ts";
import { DoneFiles } from "./done-files.ts";
import type { Progress } from "./origin.ts";

// A set takes half a megabyte; a busy organization fills one in a day.
const REMEMBERED_MAX = 50_000;

/** The key of the position that tells the newer set. */
const NEWER = "newer";

/** Remembers at least the last `rememberedMax` files. */
export class RecentFiles implements Progress {
  readonly #rememberedMax: number;
  readonly #sets: Readonly<Record<"a" | "b", DoneFiles>>;
  #newer: "a" | "b";

  /** Takes up a position that an earlier run left. */
  constructor(position: Position = {}, rememberedMax: number = REMEMBERED_MAX) {
    this.#rememberedMax = rememberedMax;
    this.#sets = {
      a: new DoneFiles(position, { keys: "a." }),
      b: new DoneFiles(position, { keys: "b." }),
    };
    this.#newer = position[NEWER] === "b" ? "b" : "a";
  }

  has(path: string): boolean {
    return this.#sets.a.has(path) || this.#sets.b.has(path);
  }

  taken(path: string): number {
    return this.#sets.a.taken(path) || this.#sets.b.taken(path);
  }

  take(path: string, pieces: number): Position {
    return this.#sets[this.#newer].take(path, pieces);
  }

  /** Remembers a file as done; answers what changes in the position. */
  finish(path: string): Position {
    const dropped = { ...this.#sets.a.drop(path), ...this.#sets.b.drop(path) };
    if (this.#sets[this.#newer].size < this.#rememberedMax) {
      return { ...dropped, ...this.#sets[this.#newer].finish(path) };
    }
    this.#newer = this.#newer === "a" ? "b" : "a";
    const set = this.#sets[this.#newer];
    return { ...dropped, ...set.clear(), [NEWER]: this.#newer, ...set.finish(path) };
  }
}
