// The format that reads a dead letter again: the one its receiver uses, or one that an operator names.

import type { AgentIdentity, Format } from "../../plugins/sdk/index.ts";
import type { ResolvedConfig } from "../config/resolved.ts";
import { suggest } from "../config/suggest.ts";
import { createRegistry } from "./registry.ts";
import { NotFoundError } from "./stores.ts";

/**
 * Answers what makes a new instance for a receiver's letter; that throws where there is no format for
 * it. Throws NotFoundError where there is none of that name.
 */
export async function replayFormat(
  config: Pick<ResolvedConfig, "receivers" | "formats" | "factories">,
  agent: AgentIdentity,
  name: string | undefined,
): Promise<(receiver: string) => Format> {
  const named = name === undefined ? undefined : await load(config, name);
  return (receiver) => {
    const component = config.receivers.get(receiver);
    const uses = component?.factory.formats?.(component.config) ?? [];
    const use = name === undefined ? uses[0] : uses.find((each) => each.name === name);
    const factory = named ?? config.formats.get(use?.name ?? "");
    if (factory === undefined) {
      const problem = component === undefined
        ? `There is no receiver "${receiver}" in the configuration`
        : `Receiver "${receiver}" reads its input without a format`;
      throw new Error(`${problem}: name one with --format`);
    }
    const options = (component?.config ?? {}) as Readonly<Record<string, unknown>>;
    const below = use?.under === undefined ? {} : options[use.under] as object | undefined;
    return factory.create(factory.config.parse({ ...use?.config, ...below }), {
      agent,
      // Counted when it came; a letter that the format leaves out stays where it is.
      ignored: () => {},
    });
  };
}

async function load(
  { formats, factories: registry = createRegistry() }: Pick<
    ResolvedConfig,
    "formats" | "factories"
  >,
  name: string,
) {
  const factory = formats.get(name) ?? await registry.load("format", name);
  if (factory?.kind === "format") return factory;
  const known = registry.types("format");
  const hint = suggest(name, known) ?? `formats: ${known.join(", ")}`;
  throw new NotFoundError(`There is no format "${name}" (${hint})`);
}
