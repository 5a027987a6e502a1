// The agent as a process, for tests. What a test that failed has left running is killed when all tests
// of its file have ended: the file would wait for it.

import process from "node:process";
import t from "tap";
import {
  killAgents,
  type RunningCairn,
  startCairn as start,
  type StartOptions,
} from "./process.ts";

export {
  commandOf,
  type Exit,
  root,
  type RunningCairn,
  type RuntimeName,
  runtimeName,
  type StartOptions,
} from "./process.ts";

// What a failed test still does in the background, such as sending again and again, ends then.
const REST_MS = 10_000;
t.on("end", () => void setTimeout(() => process.exit(), REST_MS).unref());

/** Starts `cairn` with these arguments, for as long as the tests of this file run at most. */
export function startCairn(args: readonly string[], options: StartOptions = {}): RunningCairn {
  t.teardown(killAgents);
  return start(args, options);
}
