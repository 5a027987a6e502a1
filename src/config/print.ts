// The tree as YAML that reads back as the same tree, with the place of each value beside it if asked.

import { stringify } from "yaml";
import { type ConfigNode, isBlank, type MapNode, type Scalar } from "./node.ts";
import { formatPlace, type Place } from "./problem.ts";

/** The tree as text, with a line end at its end. `origin`: each line says where it was written. */
export function printTree(root: MapNode, { origin = false } = {}): string {
  const lines: string[] = [];
  printMap(root, "", "", { lines, origin });
  return lines.length === 0 ? "{}\n" : `${lines.join("\n")}\n`;
}

interface Print {
  readonly lines: string[];
  readonly origin: boolean;
}

/** `first`: what the first line begins with in place of the indentation, as in a list. */
function printMap(map: MapNode, indent: string, first: string, print: Print): void {
  let start = first === "" ? indent : first;
  for (const [key, { at, node }] of map.entries) {
    printValue(node, at, `${start}${quoted(key)}:`, indent, print);
    start = indent;
  }
}

function printValue(node: ConfigNode, at: Place, head: string, indent: string, print: Print): void {
  const line = (text: string) => {
    // Names of sources come from a command line: they may hold anything.
    const place = formatPlace(at).replace(/\p{Cc}/gu, " ");
    print.lines.push(print.origin ? `${text}  # ${place}` : text);
  };
  if (node.kind === "scalar") return line(isBlank(node) ? head : `${head} ${word(node.value)}`);
  const size = node.kind === "map" ? node.entries.size : node.items.length;
  if (size === 0) return line(`${head} ${node.kind === "map" ? "{}" : "[]"}`);
  const deeper = `${indent}  `;
  if (node.kind === "map") {
    // Sources share a map: what is in it says where it came from.
    print.lines.push(head);
    return printMap(node, deeper, "", print);
  }
  line(head);
  for (const item of node.items) printItem(item, deeper, print);
}

function printItem(item: ConfigNode, indent: string, print: Print): void {
  const isMap = item.kind === "map" && item.entries.size > 0;
  if (isMap) printMap(item, `${indent}  `, `${indent}- `, print);
  else printValue(item, item.at, `${indent}-`, indent, print);
}

/** A scalar; a dollar sign that would be read as a reference is doubled. */
function word(value: Scalar): string {
  if (typeof value !== "string") return String(value);
  return quoted(value.replace(/\$(?=[${])/g, "$$$$"));
}

/** A text on one line, in quotes where YAML needs them. */
function quoted(text: string): string {
  const plain = stringify(text, { lineWidth: 0 }).trimEnd();
  return plain.includes("\n") ? JSON.stringify(text) : plain;
}
