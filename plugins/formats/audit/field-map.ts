// The fields of one line by name, in the order they came. Lines of one type have the same names
// again and again, so a line keeps only its values as long as its names are those of the line
// before: a Map for each line is what costs most otherwise. Filled by fields.ts.

import type { JsonObject } from "../../sdk/json.ts";
import { ruleOf, standsAlone } from "./actions.ts";
import type { ActionRule } from "./actions.ts";
import { isEncoded, rawToText } from "./text.ts";
import { typeName } from "./type-names.ts";

/** What is to be known of one field's name, worked out when it is first seen. */
export interface Key {
  /** As it stands in the line, a character per byte; and as text. */
  readonly written: string;
  readonly name: string;
  /** A bare value of it is hex. */
  readonly isEncoded: boolean;
  /** A part of one argument of EXECVE, `a2[0]`: joined before it is decoded, see argv.ts. */
  readonly isPart: boolean;
  /** Upper case: the daemon's own addition; its name in lower case. */
  readonly added: string | undefined;
  /** Words that follow belong to its value: `op=adding group to /etc/group`. */
  readonly isOpen: boolean;
}

/** The names of a line's fields, shared by lines that have the same. */
export interface Names {
  readonly list: readonly string[];
  /** Where each stands. */
  readonly index: ReadonlyMap<string, number>;
  /** Which of them describe.ts copies; kept here because it is asked for each event. */
  copied: readonly number[] | undefined;
}

/** What the last line of one type looked like: the guess for the next, nearly always right. */
export interface Layout {
  readonly type: string;
  readonly rule: ActionRule;
  /** A record of this type is a whole event. */
  readonly isAlone: boolean;
  /** How lines of it begin, and the type of the last line that came after one. */
  readonly head: string;
  next: Layout | undefined;
  /** In the order of the last line. */
  keys: readonly Key[];
  names: Names;
}

const NO_NAMES: Names = { list: [], index: new Map(), copied: [] };

/** A layout for a type of which no line came yet, by the name it is written with. */
export function newLayout(written: string): Layout {
  const type = typeName(written);
  const [rule, isAlone] = [ruleOf(type), standsAlone(type)];
  const head = `type=${written} msg=audit(`;
  return { type, rule, isAlone, head, next: undefined, keys: [], names: NO_NAMES };
}

/** Works out what is to be known of a name in lines of a type. */
export function newKey(type: string, written: string): Key {
  const first = written.charCodeAt(0);
  return {
    written,
    name: rawToText(written),
    isEncoded: isEncoded(type, written),
    isPart: type === "EXECVE" && written.endsWith("]"),
    added: first >= 0x41 && first <= 0x5a ? written.toLowerCase() : undefined,
    isOpen: written === "op" || written === "text",
  };
}

/** A list of names and values that answers like a Map. */
export class FieldMap {
  /** The value of each name; undefined where the line says that there is none. */
  readonly values: (string | undefined)[] = [];
  /** These fields as an object, where describe.ts has made one and the line comes again and again. */
  plain: JsonObject | undefined = undefined;
  #names: Names;
  // Set when the line has other names than the one before.
  #own: { readonly list: string[]; readonly index: Map<string, number> } | undefined;
  #repeats = 1;

  constructor(layout: Layout) {
    this.#names = layout.names;
  }

  /** The names of the values; there may be more of them. */
  get names(): Names {
    return this.#names;
  }

  /** Whether a name came twice. */
  get hasRepeats(): boolean {
    return this.#repeats > 1;
  }

  /** The value of this name; undefined where there is none. */
  get(name: string): string | undefined {
    const at = this.#names.index.get(name);
    return at === undefined ? undefined : this.values[at];
  }

  /** Whether there is a value of this name. */
  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  /** Names and values in order, without those that have none. */
  *[Symbol.iterator](): Generator<[string, string]> {
    for (const [i, value] of this.values.entries()) {
      if (value !== undefined) yield [this.#names.list[i]!, value];
    }
  }

  /** Adds a field; the second of a name, where the first has a value, as `name#2`. */
  add(name: string, value: string | undefined): void {
    const at = this.values.length;
    if (this.#own === undefined) {
      if (this.#names.list[at] === name) {
        this.values.push(value);
        return;
      }
      const list = this.#names.list.slice(0, at);
      this.#own = { list, index: new Map(list.map((known, i) => [known, i])) };
      this.#names = { ...this.#own, copied: undefined };
    }
    const known = this.#own.index.get(name);
    if (known === undefined) {
      this.#own.index.set(name, at);
      this.#own.list.push(name);
      this.values.push(value);
    } else if (this.values[known] === undefined) this.values[known] = value;
    else if (value !== undefined) this.add(`${name}#${++this.#repeats}`, value);
  }

  /** Puts a word behind the value of a field, or makes it the value where there is none. */
  extend(name: string, word: string): void {
    const before = this.get(name);
    if (before === undefined) this.add(name, word);
    else this.values[this.#names.index.get(name)!] = `${before} ${word}`;
  }

  /** Makes the names of this line the guess for the next. */
  learn(layout: Layout): void {
    if (this.#own !== undefined) layout.names = this.#names;
  }
}
