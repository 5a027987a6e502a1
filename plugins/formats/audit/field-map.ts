// The fields of one line by name, in the order they came. Lines of one type have the same names
// again and again, so a line keeps only its values as long as its names are those of the line
// before: a Map for each line is what costs most otherwise. Filled by fields.ts.

/** What the last line of one type looked like: the guess for the next, nearly always right. */
export interface Layout {
  readonly type: string;
  /** Names as written. */
  keys: readonly string[];
  /** Names of its fields, and where each stands. */
  names: readonly string[];
  index: ReadonlyMap<string, number>;
}

/** A layout for a type of which no line came yet. */
export function newLayout(type: string): Layout {
  return { type, keys: [], names: [], index: new Map() };
}

/** A list of names and values that answers like a Map. */
export class FieldMap {
  /** The value of each name; undefined where the line says that there is none. */
  readonly values: (string | undefined)[] = [];
  #names: readonly string[];
  #index: ReadonlyMap<string, number>;
  // Set when the line has other names than the one before.
  #own: { readonly names: string[]; readonly index: Map<string, number> } | undefined;
  #repeats = 1;

  constructor(layout: Layout) {
    this.#names = layout.names;
    this.#index = layout.index;
  }

  /** The names of the values; there may be more of them. */
  get names(): readonly string[] {
    return this.#names;
  }

  /** Whether a name came twice. */
  get hasRepeats(): boolean {
    return this.#repeats > 1;
  }

  /** The value of this name; undefined where there is none. */
  get(name: string): string | undefined {
    const at = this.#index.get(name);
    return at === undefined ? undefined : this.values[at];
  }

  /** Whether there is a value of this name. */
  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  /** Names and values in order, without those that have none. */
  *[Symbol.iterator](): Generator<[string, string]> {
    for (const [i, value] of this.values.entries()) {
      if (value !== undefined) yield [this.#names[i]!, value];
    }
  }

  /** Adds a field; the second of a name, where the first has a value, as `name#2`. */
  add(name: string, value: string | undefined): void {
    const at = this.values.length;
    if (this.#own === undefined) {
      if (this.#names[at] === name) {
        this.values.push(value);
        return;
      }
      const names = this.#names.slice(0, at);
      this.#own = { names, index: new Map(names.map((known, i) => [known, i])) };
      this.#names = names;
      this.#index = this.#own.index;
    }
    const known = this.#own.index.get(name);
    if (known === undefined) {
      this.#own.index.set(name, at);
      this.#own.names.push(name);
      this.values.push(value);
    } else if (this.values[known] === undefined) this.values[known] = value;
    else if (value !== undefined) this.add(`${name}#${++this.#repeats}`, value);
  }

  /** Puts a word behind the value of a field, or makes it the value where there is none. */
  extend(name: string, word: string): void {
    const before = this.get(name);
    if (before === undefined) this.add(name, word);
    else this.values[this.#index.get(name)!] = `${before} ${word}`;
  }

  /** Makes the names of this line the guess for the next. */
  learn(layout: Layout): void {
    if (this.#own === undefined) return;
    layout.names = this.#own.names;
    layout.index = this.#own.index;
  }
}
