// Runs histories in a thread of their own: the test runner watches every promise of its thread, and a
// history is made of thousands.

import { parentPort, workerData } from "node:worker_threads";
import { runHistory } from "./history.ts";

/** Which seeds to run, and how many failures are enough. */
export interface Order {
  readonly first: number;
  readonly last: number;
  readonly failuresMax: number;
}

/** What came of them. */
export interface Outcome {
  readonly histories: number;
  readonly failures: readonly { readonly seed: number; readonly error: string }[];
}

async function run({ first, last, failuresMax }: Order): Promise<Outcome> {
  const failures = [];
  let seed = first;
  for (; seed <= last && failures.length < failuresMax; seed++) {
    try {
      await runHistory(seed);
    } catch (error) {
      failures.push({ seed, error: error instanceof Error ? `${error.stack}` : String(error) });
    }
  }
  return { histories: seed - first, failures };
}

parentPort?.postMessage(await run(workerData));
