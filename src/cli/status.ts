// `cairn status`: asks the running agent over its socket.

import { askControl } from "../agent/control.ts";
import { dataDirAt } from "../agent/data-dir.ts";
import { type AgentStatus, formatStatus } from "../agent/status.ts";
import { type Command, UsageError } from "./command.ts";
import { defaultDataDir, printProblems, readConfiguration } from "./configuration.ts";
import { EXIT } from "./exit-code.ts";
import { watch } from "./watch.ts";

/** The command. */
export const status: Command = {
  name: "status",
  summary: "Ask the running agent how it is doing",
  description:
    "Prints the state of each component, the books of each pipeline and the lag of each\n" +
    "exporter. Asks the agent through the socket in its data_dir, as the agent's own user.",
  options: {
    json: { type: "boolean", help: "Print the whole status as JSON; a line each with --watch" },
    watch: { type: "boolean", help: "Again each second, until a signal or the reader ends it" },
    "data-dir": { type: "string", value: "DIR", help: "The agent's data_dir" },
    config: {
      type: "string",
      multiple: true,
      value: "FILE",
      help: "Configuration that names the data_dir",
    },
  },
  async run(args, shell) {
    const [given] = args.values["data-dir"] ?? [];
    if (given !== undefined && args.values.config !== undefined) {
      throw new UsageError("Option --data-dir and option --config exclude each other");
    }
    let path = given;
    if (args.values.config !== undefined) {
      const resolution = await readConfiguration(args, shell);
      if (resolution.config === undefined) {
        printProblems(resolution, shell);
        return EXIT.configuration;
      }
      path = resolution.config.dataDir;
    }
    const dataDir = dataDirAt(path ?? await defaultDataDir(shell.env));
    const isWatched = args.flags.has("watch");
    const show = async () => {
      const answer = await askControl(dataDir.socket, "/status") as AgentStatus;
      if (args.flags.has("json")) return `${JSON.stringify(answer, null, isWatched ? 0 : 2)}\n`;
      // Blocks that follow each other are told apart by an empty line.
      return isWatched ? `${formatStatus(answer)}\n` : formatStatus(answer);
    };
    if (isWatched) await watch(show, shell);
    else shell.out.write(await show());
    return EXIT.ok;
  },
};
