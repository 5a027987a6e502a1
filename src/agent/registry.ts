// All plugins there are, by kind and type. The only file that knows the built-in ones.

import { builtIn, loadBuiltIn } from "../../plugins/index.ts";
import type { ComponentFactory, ComponentKind } from "../../plugins/sdk/index.ts";
import type { Factories } from "../config/resolve.ts";

/** The kinds, in the order of the flow. */
export const KINDS = [
  "receiver",
  "format",
  "processor",
  "exporter",
  "extension",
] as const satisfies readonly ComponentKind[];

/** The built-in plugins. A plugin's code is loaded when it is first asked for. */
export function createRegistry(): Factories {
  return {
    load: loadBuiltIn,
    types: (kind) => Object.keys(builtIn[kind]).sort(),
  };
}

/** Every factory, loaded: for listings and schemas, not for running. */
export async function loadAll(registry: Factories): Promise<readonly ComponentFactory[]> {
  const factories: ComponentFactory[] = [];
  for (const kind of KINDS) {
    for (const type of registry.types(kind)) {
      const factory = await registry.load(kind, type);
      if (factory !== undefined) factories.push(factory);
    }
  }
  return factories;
}
