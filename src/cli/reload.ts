// `cairn reload`: has the running agent read its configuration again, and waits for what comes of it.

import { askControl } from "../agent/ask-control.ts";
import { dataDirAt } from "../agent/data-dir.ts";
import { type ReloadReport, reloadReport, summarizeReload } from "../agent/reload-report.ts";
import { find } from "../config/node.ts";
import type { Arguments, Command, Shell } from "./command.ts";
import { defaultDataDir, printProblems, readConfiguration } from "./configuration.ts";
import { DATA_DIR_OPTIONS } from "./data-dir.ts";
import { EXIT } from "./exit-code.ts";

// Each part that is exchanged may take as long as stop_timeout says.
const ANSWER_MS = 10 * 60_000;

/** The command. */
export const reload: Command = {
  name: "reload",
  summary: "Have the running agent read its configuration again",
  description:
    "Has the agent read again what its own command line named, as SIGHUP does, and waits for\n" +
    "the outcome. Only what has changed is restarted; with any problem nothing changes, and\n" +
    "the problems are printed as `cairn validate` prints them.",
  options: {
    json: { type: "boolean", help: "Print the outcome as JSON" },
    ...DATA_DIR_OPTIONS,
  },
  async run(args, shell) {
    const dataDir = await runningDataDir(args, shell);
    if (dataDir === undefined) return EXIT.configuration;
    const { socket } = dataDirAt(dataDir);
    const answer = await askControl(socket, "/reload", { value: {}, answerMs: ANSWER_MS });
    const report = reloadReport.parse(answer);
    if (args.flags.has("json")) shell.out.write(`${JSON.stringify(report, null, 2)}\n`);
    else print(report, shell);
    if (report.outcome === "refused") return EXIT.configuration;
    return report.outcome === "failed" ? EXIT.failure : EXIT.ok;
  },
};

/** Where the agent is, which may run though the configuration that names its data_dir is broken. */
async function runningDataDir(args: Arguments, shell: Shell): Promise<string | undefined> {
  const [given] = args.values["data-dir"] ?? [];
  if (given !== undefined) return given;
  if (args.values.config === undefined) return await defaultDataDir(shell.env);
  const { tree, ...resolution } = await readConfiguration(args, shell);
  const written = tree === undefined ? undefined : find(tree.root, ["agent", "data_dir"]);
  if (written?.kind === "scalar" && typeof written.value === "string") return written.value;
  if (tree !== undefined) return tree.defaults.dataDir;
  printProblems(resolution, shell);
  return undefined;
}

function print(report: ReloadReport, shell: Shell): void {
  const { outcome, problems, warnings, changes } = report;
  const paint = (text: string, code: string) =>
    shell.error.isColoured ? `\x1b[${code}m${text}\x1b[0m` : text;
  for (const problem of problems) shell.error.write(`${paint("error", "31")}: ${problem}\n`);
  for (const warning of warnings) shell.error.write(`${paint("warning", "33")}: ${warning}\n`);
  const isDone = outcome === "applied" || outcome === "unchanged";
  if (!isDone) return shell.error.write("Nothing has changed: the agent goes on as before\n");
  shell.out.write(
    changes.length === 0 ? `${summarizeReload(report)}\n` : "Configuration reloaded:\n",
  );
  for (const change of changes) shell.out.write(`  ${change}\n`);
}
