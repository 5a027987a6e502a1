// The key `plugins` of a configuration: which plugins it brings, and from where they are looked for.
// The agent's registry loads them.

import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { check } from "./check.ts";
import { pluginsOption } from "./document.ts";
import { isBlank, type MapNode, secretsOf } from "./node.ts";
import { formatPath, type Place, type Problem } from "./problem.ts";

/** A plugin that a configuration names. */
export interface PluginUse {
  /** `./PATH`, an absolute path, or a package's name. */
  readonly named: string;
  /** The hash that its file has to have, in small letters. */
  readonly sha256?: string;
  /** Folder of the file that names it; the working directory where no file does. Absolute. */
  readonly folder: string;
  /** Where problems point. */
  readonly at: Place;
  readonly path: string;
  /** It came from the environment or a file: its name is in no message. */
  readonly isSecret: boolean;
}

/** The plugins in their order; undefined, with what is wrong in `problems`, where one is not valid. */
export function pluginUses(
  root: MapNode,
  problems: Problem[],
): readonly PluginUse[] | undefined {
  const entry = root.entries.get("plugins");
  if (entry === undefined || isBlank(entry.node)) return [];
  const { at, node } = entry;
  const checked = check(pluginsOption, { node, path: ["plugins"], at });
  if (!checked.ok || node.kind !== "list") {
    problems.push(...checked.problems);
    return undefined;
  }
  return checked.value.map((plugin, index) => {
    const { path: named, sha256 = undefined } = typeof plugin === "string"
      ? { path: plugin }
      : plugin;
    const item = node.items[index]!;
    return {
      named,
      ...(sha256 !== undefined && { sha256: sha256.toLowerCase() }),
      folder: folderOf(item.at.source),
      at: item.at,
      path: formatPath(["plugins", index]),
      isSecret: secretsOf(item).length > 0,
    };
  });
}

function folderOf(source: string): string {
  return existsSync(source) ? dirname(resolve(source)) : resolve(".");
}
