// One text that stands for a whole configuration: the hash of what `cairn print-config` prints, so
// that anybody can tell whether an agent runs what a file says. Secrets are not in it.

import { hash } from "node:crypto";
import { schemaOf } from "./document-schema.ts";
import type { MapNode } from "./node.ts";
import { printTree } from "./print.ts";
import { redact } from "./redact.ts";
import type { Factories, ResolveDefaults } from "./resolve.ts";

/** SHA-256 in hexadecimal digits: the same as of `cairn print-config | sha256sum`. */
export async function configurationHash(
  root: MapNode,
  factories: Factories,
  defaults: ResolveDefaults,
): Promise<string> {
  const schema = await schemaOf(root, factories, defaults);
  return hash("sha256", printTree(redact(root, schema)));
}
