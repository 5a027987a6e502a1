// `cairn dead-letters replay`: hands dead letters in again, through the running agent or without one.

import { AgentNotRunningError } from "../agent/ask-control.ts";
import {
  type DeadLetterDesk,
  ORDER_LETTERS_MAX,
  remoteDesk,
  type Replayed,
} from "../agent/dead-letter-orders.ts";
import { openOfflineDesk } from "../agent/offline-desk.ts";
import type { Store } from "../agent/stores.ts";
import { detectRuntime } from "../runtime/runtime.ts";
import { createLogs, type Logs } from "../telemetry/logs.ts";
import { VERSION } from "../version.ts";
import { type Command, type Shell, UsageError } from "./command.ts";
import { chooseDataDir, chooseStore, type ChosenDataDir, STORE_OPTIONS } from "./data-dir.ts";
import { EXIT } from "./exit-code.ts";
import { LETTER_OPTIONS, letterFilter, matching, noLetters } from "./letter-filter.ts";
import { escapeText } from "./printable.ts";

/** The command. */
export const deadLettersReplay: Command = {
  name: "dead-letters replay",
  summary: "Hand dead letters in again",
  words: "[NUMBER|FIRST-LAST…]",
  description:
    "Stores again what an exporter refused, for that exporter alone, and reads again what\n" +
    "a receiver could not, with its own format or --format. A letter goes when its record is\n" +
    "durable; those that cannot be replayed stay, and end it with 1. Without an agent it needs\n" +
    "--config, and the records wait in the queue.",
  options: {
    ...LETTER_OPTIONS,
    format: { type: "string", value: "NAME", help: "Reads what receivers set aside" },
    ...STORE_OPTIONS,
  },
  async run(args, shell) {
    const filter = letterFilter(args, Date.now());
    const chosen = await chooseDataDir(args, shell);
    if (typeof chosen === "number") return chosen;
    const store = await chooseStore(chosen.dataDir, "dead letters", args);
    const numbers: number[] = [];
    for await (const { number } of matching(chosen.dataDir, store, filter)) numbers.push(number);
    if (numbers.length === 0) throw noLetters(filter);
    const [format] = args.values.format ?? [];
    const outcome = await withDesk(
      chosen,
      store,
      shell,
      (desk) => replayAll(desk, store, numbers, format),
    );
    for (const { number, reason } of outcome.refused) {
      shell.error.write(`Letter ${number} stays: ${escapeText(reason)}\n`);
    }
    const { replayed, gone, refused } = outcome;
    const goneText = gone.length === 0 ? "" : `, ${gone.length} were gone already`;
    shell.out.write(`Replayed ${replayed.length}, ${refused.length} stay${goneText}\n`);
    return refused.length > 0 ? EXIT.failure : EXIT.ok;
  },
};

/** Orders a few at a time, so that each answer comes soon. */
async function replayAll(
  desk: DeadLetterDesk,
  { pipeline }: Store,
  numbers: readonly number[],
  format: string | undefined,
): Promise<Replayed> {
  const all = { replayed: [], gone: [], refused: [] } as {
    -readonly [K in keyof Replayed]: Replayed[K][number][];
  };
  for (let at = 0; at < numbers.length; at += ORDER_LETTERS_MAX) {
    const some = numbers.slice(at, at + ORDER_LETTERS_MAX);
    const { replayed, gone, refused } = await desk.replay(pipeline, some, format);
    all.replayed.push(...replayed);
    all.gone.push(...gone);
    all.refused.push(...refused);
  }
  return all;
}

/** The running agent's desk; where none runs, one of this process. */
async function withDesk(
  { dataDir, config }: ChosenDataDir,
  { pipeline }: Store,
  shell: Shell,
  work: (desk: DeadLetterDesk) => Promise<Replayed>,
): Promise<Replayed> {
  try {
    return await work(remoteDesk(dataDir));
  } catch (error) {
    if (!(error instanceof AgentNotRunningError)) throw error;
  }
  if (config === undefined) {
    throw new UsageError("No agent is running: name its configuration with --config");
  }
  const logs = quietLogs(shell);
  const runtime = await detectRuntime();
  const desk = await openOfflineDesk(config, pipeline, { version: VERSION, logs, runtime });
  try {
    return await work(desk);
  } finally {
    await desk.close();
    await logs.close();
  }
}

/** Logs of a command: only what went wrong. */
export function quietLogs(shell: Shell): Logs {
  const { isTerminal, isColoured } = shell.error;
  return createLogs({
    level: "warn",
    stream: shell.error,
    readable: isTerminal,
    colour: isColoured,
  });
}
