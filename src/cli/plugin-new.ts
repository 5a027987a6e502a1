// `cairn plugin new`: a folder with a working plugin, its test and a configuration that uses it.

import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createRegistry, KINDS } from "../agent/registry.ts";
import { suggest } from "../config/suggest.ts";
import { type ComponentKind, SDK_VERSION } from "../../plugins/sdk/index.ts";
import { VERSION } from "../version.ts";
import { type Command, UsageError } from "./command.ts";
import { EXIT } from "./exit-code.ts";
import { PLUGIN_CODE } from "./plugin-templates.ts";
import { PLUGIN_PARTS, PLUGIN_TEST } from "./plugin-template-tests.ts";

const USAGE = "cairn plugin new KIND NAME";

/** The command. */
export const pluginNew: Command = {
  name: "plugin new",
  summary: "Write a plugin's folder to begin with",
  words: "KIND NAME",
  description:
    "Writes a folder with a small plugin that works, a test of it with conformance() and a\n" +
    `configuration that uses it. KIND is one of ${KINDS.join(", ")};\n` +
    "NAME is what a configuration will call it, in small letters, digits and _.",
  options: {
    directory: { type: "string", value: "FOLDER", help: "Where; ./cairn-KIND-NAME if not given" },
  },
  async run({ words: [kind = "", name = "", ...more], values }, shell) {
    if (more.length > 0 || name === "") throw new UsageError(`Expected ${USAGE}`);
    if (!isKind(kind)) {
      const hint = suggest(kind, KINDS) ?? `kinds: ${KINDS.join(", ")}`;
      throw new UsageError(`Unknown kind "${kind}" (${hint})`);
    }
    if (!/^[a-z][a-z0-9_]{0,63}$/.test(name)) {
      throw new UsageError(`Name "${name}" is not valid (write small letters, digits and _)`);
    }
    if (createRegistry().types(kind).includes(name)) {
      throw new UsageError(`A ${kind} "${name}" comes with Cairn (choose another name)`);
    }
    const packageName = `cairn-${kind}-${name.replaceAll("_", "-")}`;
    const directory = values.directory?.[0] ?? packageName;
    await write(directory, filesOf(kind, name, packageName));
    shell.out.write(
      `Wrote ${kind} "${name}" to ${directory}\n` +
        `  cd ${directory} && npm install && npm test\n` +
        `  cairn validate --config ${join(directory, "cairn.yaml")}\n`,
    );
    return EXIT.ok;
  },
};

function isKind(word: string): word is ComponentKind {
  return (KINDS as readonly string[]).includes(word);
}

async function write(
  directory: string,
  files: Readonly<Record<string, string>>,
): Promise<void> {
  try {
    await mkdir(directory, { recursive: true });
    if ((await readdir(directory)).length > 0) throw new Error("it is not empty");
    // Never over a file of somebody else's, who came in between.
    for (const [name, text] of Object.entries(files)) {
      await writeFile(join(directory, name), text, { flag: "wx" });
    }
  } catch (error) {
    const { message } = error as Error;
    throw new Error(`Cannot write a plugin to "${directory}": ${message}`, { cause: error });
  }
}

/** Name and text of every file. */
function filesOf(
  kind: ComponentKind,
  name: string,
  packageName: string,
): Readonly<Record<string, string>> {
  const filled = (text: string) => text.replaceAll("TYPE", name);
  const list = (wanted: ComponentKind, other = "") => kind === wanted ? name : other;
  const pipeline = [
    `      receivers: [${list("receiver", "file")}]`,
    `      processors: [${list("processor")}]`,
    `      exporters: [${list("exporter", "debug")}]`,
  ];
  return {
    "package.json": packageJson(packageName),
    "index.js": filled(PLUGIN_CODE[kind]),
    "index.test.js": filled(PLUGIN_TEST[kind]),
    "cairn.yaml": [
      "agent: { data_dir: ./data }",
      "plugins: [./index.js]",
      filled(PLUGIN_PARTS[kind]).trimEnd(),
      "service:",
      `  extensions: [${list("extension")}]`,
      "  pipelines:",
      "    main:",
      ...pipeline,
      "",
    ].join("\n"),
    "README.md": readme(kind, name, packageName),
  };
}

function packageJson(packageName: string): string {
  const about = {
    name: packageName,
    version: "0.1.0",
    type: "module",
    exports: "./index.js",
    files: ["index.js"],
    scripts: { test: "tap --disable-coverage --allow-empty-coverage" },
    peerDependencies: { "cairn-agent": `^${VERSION}` },
    dependencies: { zod: "^4.0.0" },
    devDependencies: { tap: "^21.0.0" },
  };
  return `${JSON.stringify(about, null, 2)}\n`;
}

function readme(kind: ComponentKind, name: string, packageName: string): string {
  return `# ${packageName}

Cairn's ${kind} \`${name}\`, made with version ${SDK_VERSION} of the SDK.

- \`index.js\` is the plugin: its options, with a default and one line of help each, and its work.
- \`index.test.js\` holds it against the contract (\`npm test\`).
- \`cairn.yaml\` uses it: \`cairn validate --config cairn.yaml\`, then \`cairn run --config cairn.yaml\`.

Installed as a package it is named instead of the file: \`plugins: [${packageName}]\`.
`;
}
