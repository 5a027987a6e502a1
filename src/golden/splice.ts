// Puts a changed `expect` of a case into the text of its file, so that everything else in it stays as
// it is, to the last space. What update.ts changed in a document arrives in the file through here.

import { isDeepStrictEqual } from "node:util";
import { Document, isMap, type Pair, parseDocument, type Scalar, type YAMLMap } from "yaml";

const STYLE = { lineWidth: 0, flowCollectionPadding: true } as const;

/**
 * The text with the `expect` of some cases as `changed` has it. Where that cannot be put in place
 * (the case is written in braces), all of the file is written anew: comments stay, spacing may not.
 */
export function splice(text: string, changed: Document, cases: readonly number[]): string {
  const original = parseDocument(text);
  let spliced: string | undefined = text;
  // From the end, so that places before are where they were.
  for (const index of [...cases].sort((a, b) => b - a)) {
    const path = ["cases", index];
    const before = original.getIn(path, true);
    const after = changed.getIn(path, true);
    spliced = spliced === undefined || !isMap(before) || !isMap(after)
      ? undefined
      : replace(spliced, before, after);
  }
  return spliced !== undefined && means(spliced, changed) ? spliced : changed.toString(STYLE);
}

function replace(text: string, before: YAMLMap, after: YAMLMap): string | undefined {
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
  return map.items.find(({ key }) => key === name || (key as Scalar | null)?.value === name);
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
