// `cairn status`: asks the running agent over its socket.

import { askControl } from "../agent/ask-control.ts";
import { type AgentStatus, formatStatus } from "../agent/status.ts";
import type { Command } from "./command.ts";
import { chooseDataDir, DATA_DIR_OPTIONS } from "./data-dir.ts";
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
    ...DATA_DIR_OPTIONS,
  },
  async run(args, shell) {
    const chosen = await chooseDataDir(args, shell);
    if (typeof chosen === "number") return chosen;
    const { socket } = chosen.dataDir;
    const isWatched = args.flags.has("watch");
    const show = async () => {
      const answer = await askControl(socket, "/status") as AgentStatus;
      if (args.flags.has("json")) return `${JSON.stringify(answer, null, isWatched ? 0 : 2)}\n`;
      // Blocks that follow each other are told apart by an empty line.
      return isWatched ? `${formatStatus(answer)}\n` : formatStatus(answer);
    };
    if (isWatched) await watch(show, shell);
    else shell.out.write(await show());
    return EXIT.ok;
  },
};
