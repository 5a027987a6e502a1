// `cairn queue repair`: mends damaged queues and dead letters while no agent runs.

import { repairStore } from "../agent/stores.ts";
import type { Command } from "./command.ts";
import { chooseDataDir, STORE_OPTIONS } from "./data-dir.ts";
import { EXIT } from "./exit-code.ts";
import { allStores, formatReport } from "./queue-verify.ts";

/** The command. */
export const queueRepair: Command = {
  name: "queue repair",
  summary: "Mend damaged queues; keeps a copy of what was there",
  description:
    "Writes damaged segments anew out of their whole frames and puts unreadable cursor\n" +
    "files aside. What was there is kept beside it as .broken. Tells what it did and what is\n" +
    "lost. Refused while an agent runs. Ends with 1 where something is still wrong.",
  options: { ...STORE_OPTIONS, json: { type: "boolean", help: "Print what was done as JSON" } },
  async run(args, shell) {
    const chosen = await chooseDataDir(args, shell);
    if (typeof chosen === "number") return chosen;
    const isJson = args.flags.has("json");
    const repairs = [];
    for (const store of await allStores(chosen.dataDir, args)) {
      const { pipeline, kind } = store;
      const repair = await repairStore(chosen.dataDir, store);
      repairs.push({ pipeline, kind, ...repair });
      if (isJson) continue;
      for (const line of repair.done) shell.out.write(`${line}\n`);
      for (const path of repair.copies) shell.out.write(`What was there is kept as ${path}\n`);
      shell.out.write(formatReport(store, repair.after));
    }
    if (isJson) shell.out.write(`${JSON.stringify(repairs, null, 2)}\n`);
    return repairs.some(({ after }) => after.problems.length > 0) ? EXIT.failure : EXIT.ok;
  },
};
