// `cairn dead-letters purge`: lets dead letters go for ever, after a question.

import { counted } from "../../plugins/sdk/wording.ts";
import { AgentNotRunningError } from "../agent/ask-control.ts";
import { ORDER_RUNS_MAX, remoteDesk, type Run } from "../agent/dead-letter-orders.ts";
import { purgeStore } from "../agent/offline-desk.ts";
import type { Store } from "../agent/stores.ts";
import type { DataDir } from "../agent/data-dir.ts";
import { type Command, type Shell, UsageError } from "./command.ts";
import { chooseDataDir, chooseStore, STORE_OPTIONS } from "./data-dir.ts";
import { quietLogs } from "./dead-letters-replay.ts";
import { EXIT } from "./exit-code.ts";
import { isNarrow, LETTER_OPTIONS, letterFilter, matching, noLetters } from "./letter-filter.ts";

/** The command. */
export const deadLettersPurge: Command = {
  name: "dead-letters purge",
  summary: "Let dead letters go for ever",
  words: "[NUMBER|FIRST-LAST…]",
  description:
    "Removes the dead letters named by numbers or options, or --all of them. Asks first on\n" +
    "a terminal; elsewhere it needs --yes. Ends with 6 where there are none.",
  options: {
    ...LETTER_OPTIONS,
    all: { type: "boolean", help: "All of them" },
    yes: { type: "boolean", help: "Do not ask" },
    ...STORE_OPTIONS,
  },
  async run(args, shell) {
    const filter = letterFilter(args, Date.now());
    if (isNarrow(filter) === args.flags.has("all")) {
      throw new UsageError("Name letters by numbers or options, or --all");
    }
    const chosen = await chooseDataDir(args, shell);
    if (typeof chosen === "number") return chosen;
    const { dataDir } = chosen;
    const store = await chooseStore(dataDir, "dead letters", args);
    const runs: [number, number][] = [];
    let count = 0;
    for await (const { number } of matching(dataDir, store, filter)) {
      const run = runs[runs.length - 1];
      if (run?.[1] === number - 1) run[1] = number;
      else runs.push([number, number]);
      count++;
    }
    if (count === 0) throw noLetters(filter);
    if (!args.flags.has("yes") && !await confirm(shell, count, store)) {
      shell.error.write("Nothing is purged\n");
      return EXIT.failure;
    }
    let purged = 0;
    for (let at = 0; at < runs.length; at += ORDER_RUNS_MAX) {
      purged += await purge(dataDir, store, runs.slice(at, at + ORDER_RUNS_MAX), shell);
    }
    shell.out.write(`Purged ${counted(purged, "dead letter")} of pipeline ${store.pipeline}\n`);
    // Another was faster.
    if (purged === 0) throw noLetters(filter);
    return EXIT.ok;
  },
};

async function confirm(shell: Shell, count: number, { pipeline }: Store): Promise<boolean> {
  const what = counted(count, "dead letter");
  const answer = await shell.ask(`Purge ${what} of pipeline ${pipeline} for ever? [y/N] `);
  if (answer === undefined) {
    throw new UsageError("Cannot ask whether to purge: not a terminal; say --yes");
  }
  return /^\s*y(es)?\s*$/i.test(answer);
}

async function purge(
  dataDir: DataDir,
  store: Store,
  runs: readonly Run[],
  shell: Shell,
): Promise<number> {
  try {
    return await remoteDesk(dataDir).purge(store.pipeline, runs);
  } catch (error) {
    if (!(error instanceof AgentNotRunningError)) throw error;
  }
  const logs = quietLogs(shell);
  try {
    return await purgeStore(dataDir, store, runs, logs);
  } finally {
    await logs.close();
  }
}
