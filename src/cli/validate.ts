// `cairn validate`: all problems of a configuration at once, without starting anything; with --deep,
// also those of the host it is to run on.

import type { Finding } from "../../plugins/sdk/index.ts";
import { counted } from "../../plugins/sdk/wording.ts";
import { formatPlace, type Problem } from "../config/problem.ts";
import type { ResolvedConfig } from "../config/resolved.ts";
import { maskUrls } from "../config/redact.ts";
import { VERSION } from "../version.ts";
import type { Command, Shell } from "./command.ts";
import { CONFIG_OPTIONS, printProblems, readConfiguration } from "./configuration.ts";
import { EXIT } from "./exit-code.ts";

/** The command. */
export const validate: Command = {
  name: "validate",
  summary: "Check a configuration and tell every problem",
  description:
    "Checks a configuration as `cairn run` would read it, and prints every problem as\n" +
    "file:line:column: path: problem. With --deep it asks this host as well: whether folders\n" +
    "and files can be used, endpoints are free, names resolve, certificates hold, the clock\n" +
    "can be right and queues are whole. Starts nothing, writes nothing.",
  options: {
    ...CONFIG_OPTIONS,
    deep: { type: "boolean", help: "Ask this host as well; as the user the agent runs as" },
    json: { type: "boolean", help: "Print what was found as JSON" },
  },
  async run(args, shell) {
    const resolution = await readConfiguration(args, shell);
    const { config, problems, warnings } = resolution;
    const isDeep = args.flags.has("deep") && config !== undefined;
    const findings = isDeep ? await look(config) : [];
    const isValid = config !== undefined && findings.every(({ level }) => level !== "problem");
    if (args.flags.has("json")) {
      const answer = {
        valid: isValid,
        problems: problems.map(plain),
        warnings: warnings.map(plain),
        ...(isDeep && { findings }),
      };
      shell.out.write(`${JSON.stringify(answer, null, 2)}\n`);
    } else {
      printProblems(resolution, shell);
      if (config !== undefined) shell.out.write(`Configuration is valid: ${partsOf(config)}\n`);
      if (isDeep) printFindings(findings, shell);
    }
    return isValid ? EXIT.ok : EXIT.configuration;
  },
};

async function look(config: ResolvedConfig): Promise<readonly Finding[]> {
  const { examine } = await import("../agent/examine.ts");
  const findings = await examine(config, { clock: Date.now, version: VERSION });
  return findings.map((finding) => ({ ...finding, message: maskUrls(finding.message) }));
}

function plain({ at, ...problem }: Problem): object {
  return { at: formatPlace(at), ...problem };
}

function partsOf({ pipelines, receivers, exporters }: ResolvedConfig): string {
  const count = (n: number, noun: string) => `${n} ${noun}${n === 1 ? "" : "s"}`;
  return [
    count(pipelines.length, "pipeline"),
    count(receivers.size, "receiver"),
    count(exporters.size, "exporter"),
  ].join(", ");
}

const COLOURS: Readonly<Record<Finding["level"], string>> = {
  ok: "32",
  warning: "33",
  problem: "31",
};

function printFindings(findings: readonly Finding[], shell: Shell): void {
  const counts = { ok: 0, warning: 0, problem: 0 };
  for (const { level, path, message, fix } of findings) {
    counts[level]++;
    const word = level.padEnd(7);
    const painted = shell.out.isColoured ? `\x1b[${COLOURS[level]}m${word}\x1b[0m` : word;
    const where = path === "" ? "" : `${path}: `;
    shell.out.write(`${painted} ${where}${message}${fix === undefined ? "" : ` (${fix})`}\n`);
  }
  const { ok, warning, problem } = counts;
  shell.out.write(
    `Asked this host: ${ok} ok, ${counted(warning, "warning")}, ${counted(problem, "problem")}\n`,
  );
}
