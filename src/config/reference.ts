// config/reference.yaml: every option with its default and its help, out of the schemas. It is a
// valid configuration: what has no default and need not be written stands as a comment.

import { stringify } from "yaml";
import type { ComponentFactory } from "../../plugins/sdk/index.ts";
import { componentSchema } from "./document-schema.ts";
import { agentOptions, pluginsOption, SECTIONS, serviceOptions } from "./document.ts";
import { toJsonSchema } from "./json-schema.ts";
import { listOptions, type OptionLine } from "./option-list.ts";

const HEAD =
  `# Every option of Cairn, with its default. Written by \`cairn schema --reference\`; not by hand.
# An option that stands as a comment has no default and may be left out.
`;

/** The reference for these components. Ends with a line end. */
export function writeReference(factories: readonly ComponentFactory[]): string {
  const text = [HEAD];
  text.push(section("agent"), options(listOptions(toJsonSchema(agentOptions)), 1));
  text.push(`# ${pluginsOption.description}\nplugins: []\n`);
  for (const kind of ["receiver", "processor", "exporter", "extension"] as const) {
    const ofKind = factories.filter((factory) => factory.kind === kind);
    if (ofKind.length === 0) continue;
    text.push(section(`${kind}s`), ...ofKind.map(component));
  }
  text.push(section("service"), service(factories));
  return text.join("\n");
}

function section(name: keyof typeof SECTIONS): string {
  return `# ${SECTIONS[name]}\n${name}:`;
}

function component(factory: ComponentFactory): string {
  const head = `  # ${factory.summary} (${factory.stability})\n  ${factory.type}:`;
  return `${head}\n${options(withChoice(factory, listOptions(componentSchema(factory))), 2)}`;
}

/** Where one of several options has to be written, the first that will do is. */
function withChoice(
  { config }: ComponentFactory,
  lines: readonly OptionLine[],
): readonly OptionLine[] {
  const written = (line: OptionLine) => [line.path[0]!, shownValue(line)];
  const outer = lines.filter(({ path, isMap }) => path.length === 1 && !isMap);
  const required = outer.filter((line) => line.required).map(written);
  const isEnough = (more: unknown[][]) =>
    config.safeParse(Object.fromEntries([...required, ...more])).success;
  if (isEnough([])) return lines;
  const chosen = outer.find((line) => line.default === undefined && isEnough([written(line)]));
  return lines.map((line) => line === chosen ? { ...line, required: true } : line);
}

function shownValue(line: OptionLine): unknown {
  return line.default ?? line.examples[0] ?? `<${line.kind}>`;
}

function service(factories: readonly ComponentFactory[]): string {
  const types = (kind: ComponentFactory["kind"]) =>
    factories.filter((factory) => factory.kind === kind).map(({ type }) => type);
  const lines = listOptions(toJsonSchema(serviceOptions));
  const pipeline = toJsonSchema(serviceOptions).properties?.pipelines?.additionalProperties;
  const parts = typeof pipeline === "object" ? listOptions(pipeline) : [];
  const filled = parts.map((line) => {
    const kind = line.path.length === 1 ? line.path[0]!.slice(0, -1) : "";
    const ids = types(kind as ComponentFactory["kind"]);
    return line.path[0] === "queue" ? line : { ...line, default: ids };
  });
  return lines.map((line) => {
    if (line.path[0] === "pipelines") {
      return `  # ${line.help}\n  pipelines:\n    audit:\n${options(filled, 3)}`;
    }
    const isExtensions = line.path[0] === "extensions";
    return option(isExtensions ? { ...line, default: types("extension") } : line, 1);
  }).join("\n") + "\n";
}

function options(lines: readonly OptionLine[], depth: number): string {
  return lines.map((line) => option(line, depth)).join("\n") + "\n";
}

function option(line: OptionLine, depth: number): string {
  const indent = "  ".repeat(depth + line.path.length - 1);
  const help = line.help === "" ? "" : `${indent}# ${line.help}\n`;
  const name = line.path.at(-1)!;
  if (line.isMap) return `${help}${indent}${name}:`;
  const isComment = line.default === undefined && !line.required;
  const shown = inline(shownValue(line));
  return `${help}${indent}${isComment ? "# " : ""}${name}: ${shown}`;
}

function inline(value: unknown): string {
  return stringify(value, { collectionStyle: "flow", lineWidth: 0, flowCollectionPadding: false })
    .trimEnd();
}
