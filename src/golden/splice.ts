// Puts a changed `expect` of a case into the text of its file, so that everything else in it stays as
// it is, to the last space. What update.ts changed in a document arrives in the file through here.

import { isDeepStrictEqual } from "node:util";
import { Document, isAlias, isMap, isScalar, isSeq, parseDocument, Scalar, YAMLSeq } from "yaml";
import type { Pair, YAMLMap } from "yaml";

const STYLE = { lineWidth: 0, flowCollectionPadding: true } as const;

/**
 * The text with the `expect` of some cases as `changed` has it: value by value, else the whole of an
 * `expect`. Where neither can be put in place (new members in a case that is written in braces), the
 * file is written anew: comments stay, spacing may not.
 */
export function splice(text: string, changed: Document, cases: readonly number[]): string {
  const original = parseDocument(text);
  for (const put of [putValues, putExpect]) {
    let spliced: string | undefined = text;
    // From the end, so that places before are where they were.
    for (const index of [...cases].sort((a, b) => b - a)) {
      const before = original.getIn(["cases", index], true);
      const after = changed.getIn(["cases", index], true);
      const isMaps = isMap(before) && isMap(after);
      spliced = spliced === undefined || !isMaps ? undefined : put(spliced, before, after);
    }
    if (spliced !== undefined && means(spliced, changed)) return spliced;
  }
  return changed.toString(STYLE);
}

/** Puts single values in their places; where members or items are others, all of `expect`. */
function putValues(text: string, before: YAMLMap, after: YAMLMap): string | undefined {
  const edits: Edit[] = [];
  const isSame = gather(before.get("expect", true), after.get("expect", true), edits);
  if (!isSame) return putExpect(text, before, after);
  return edits.sort((a, b) => b.start - a.start).reduce(
    (result, { start, end, value }) => result.slice(0, start) + value + result.slice(end),
    text,
  );
}

/** A value to be put between two places. */
interface Edit {
  readonly start: number;
  readonly end: number;
  readonly value: string;
}

/** Gathers the values that differ; false where more than values does. */
function gather(before: unknown, after: unknown, edits: Edit[]): boolean {
  if (isMap(before) && isMap(after)) {
    return before.items.length === after.items.length && before.items.every((pair, i) => {
      const other = after.items[i]!;
      return keyOf(pair) === keyOf(other) && gather(pair.value, other.value, edits);
    });
  }
  if (isSeq(before) && isSeq(after)) {
    return before.items.length === after.items.length &&
      before.items.every((item, i) => gather(item, after.items[i], edits));
  }
  if (isAlias(before) && isAlias(after)) return before.source === after.source;
  if (!isScalar(before) || !isScalar(after)) return false;
  if (before.value === after.value) return true;
  const [start, end] = before.range ?? [0, 0];
  // A text of several lines, or a value that is left out, has no place of its own.
  if (end === start || /^BLOCK/.test(before.type ?? "")) return false;
  edits.push({ start, end, value: inBrackets(after) });
  return true;
}

/** A value as it can stand inside of braces, and anywhere else. */
function inBrackets({ value, type }: Scalar): string {
  const scalar = new Scalar(value);
  if (type !== undefined) scalar.type = type;
  const list = new YAMLSeq();
  list.flow = true;
  list.items = [scalar];
  const text = new Document(list).toString({ lineWidth: 0, flowCollectionPadding: false });
  return text.trim().slice(1, -1);
}

function keyOf({ key }: Pair): unknown {
  return isScalar(key) ? key.value : key;
}

/** Puts the whole of `expect` in its place, or behind the case's last member. */
function putExpect(text: string, before: YAMLMap, after: YAMLMap): string | undefined {
  if (before.flow === true) return undefined;
  const old = pairOf(before, "expect");
  const start = old === undefined ? endOf(before.items.at(-1)) : startOf(old);
  const end = old === undefined ? start : endOf(old) ?? startOf(old);
  const first = startOf(before.items[0]);
  if (start === undefined || end === undefined || first === undefined) return undefined;
  const indent = " ".repeat(first - text.lastIndexOf("\n", first - 1) - 1);
  const fresh = written(after).split("\n").map((line) => line === "" ? "" : indent + line);
  // What stands between the old value and the next thing: its line end, blank lines.
  const gap = /\s*$/.exec(text.slice(0, end))![0] || "\n";
  const head = text.slice(0, start).trimEnd();
  const rest = text.slice(end);
  // An end of the file without a line end gets one.
  return `${head}\n${fresh.join("\n")}${gap}${rest}`;
}

/** The pair alone, in block style from the first column. */
function written(map: YAMLMap): string {
  const alone = new Document({});
  (alone.contents as unknown as YAMLMap).items = [pairOf(map, "expect")!] as never;
  return alone.toString(STYLE).trimEnd();
}

function pairOf(map: YAMLMap, name: string): Pair | undefined {
  return map.items.find((pair) => keyOf(pair) === name);
}

type Ranged = { readonly range?: readonly [number, number, number] | null } | null | undefined;

function startOf(pair: Pair | undefined): number | undefined {
  return (pair?.key as Ranged)?.range?.[0];
}

function endOf(pair: Pair | undefined): number | undefined {
  const range = (pair?.value as Ranged)?.range ?? (pair?.key as Ranged)?.range;
  return range?.[2];
}

function means(text: string, document: Document): boolean {
  const parsed = parseDocument(text);
  return parsed.errors.length === 0 && isDeepStrictEqual(parsed.toJS(), document.toJS());
}
