// Objects whose members are named by the log, made so that V8 gives them a fixed shape: of an object
// that gets its members one by one it makes a hash table at about the seventeenth, which takes three
// times as long to fill, to copy and to write as JSON. Events of one kind have the same names again
// and again, so their objects are copies of one, filled anew. Used by describe.ts.

import type { Json, JsonObject } from "../../sdk/json.ts";

/** An object, and its members' names in order. */
interface Shape {
  readonly names: readonly string[];
  readonly object: JsonObject;
}

// A log has few kinds of events at a time.
const SHAPES_MAX = 32;
// More than the longest record known has; comparing longer lists would not pay.
const NAMES_MAX = 64;

/** Makes objects, one after the other, of the members it is given. */
export class Members {
  readonly #shapes: Shape[] = [];
  #next = 0;
  // Kept from object to object: only the first `#count` are meant.
  readonly #names: string[] = [];
  readonly #values: Json[] = [];
  #count = 0;

  /** Adds a member; no other of the object has this name. */
  add(name: string, value: Json): void {
    this.#names[this.#count] = name;
    this.#values[this.#count++] = value;
  }

  /** Adds a member, or gives the one of this name another value. */
  set(name: string, value: Json): void {
    const at = this.#names.indexOf(name);
    if (at >= 0 && at < this.#count) this.#values[at] = value;
    else this.add(name, value);
  }

  /** The object of all that was added since the last one; undefined where nothing was. */
  take(): JsonObject | undefined {
    const count = this.#count;
    this.#count = 0;
    if (count === 0) return undefined;
    if (count > NAMES_MAX) return this.#takeLong(count);
    const { object } = this.#known(count) ?? this.#learn(count);
    const made: Record<string, Json | undefined> = { ...object };
    for (let i = 0; i < count; i++) made[this.#names[i]!] = this.#values[i]!;
    return made;
  }

  #takeLong(count: number): JsonObject {
    const pairs = this.#names.slice(0, count).map((name, i) => [name, this.#values[i]!] as const);
    this.#names.length = this.#values.length = 0;
    return Object.fromEntries(pairs);
  }

  #known(count: number): Shape | undefined {
    for (const shape of this.#shapes) {
      if (shape.names.length !== count) continue;
      let same = 0;
      while (same < count && shape.names[same] === this.#names[same]) same++;
      if (same === count) return shape;
    }
    return undefined;
  }

  #learn(count: number): Shape {
    const names = this.#names.slice(0, count);
    // Defines each member, `__proto__` like any other; the copy of it has a fixed shape.
    const object = { ...Object.fromEntries(names.map((name) => [name, null])) };
    return this.#shapes[this.#next++ % SHAPES_MAX] = { names, object };
  }
}
