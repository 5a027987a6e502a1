// All plugins there are, by kind and type. The only file that knows the built-in ones.

import { builtIn, loadBuiltIn } from "../../plugins/index.ts";
import type { ComponentFactory } from "../../plugins/sdk/index.ts";
import type { Factories } from "../config/resolve.ts";
import { extendFactories, KINDS } from "./external-plugins.ts";

export { KINDS };

/**
 * The built-in plugins, and through `extend` those from outside. A built-in plugin's code is loaded
 * when it is first asked for.
 */
export function createRegistry(): Factories {
  const registry: Factories = {
    load: loadBuiltIn,
    types: (kind) => Object.keys(builtIn[kind]).sort(),
    extend: (plugins) => extendFactories(registry, plugins),
  };
  return registry;
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
