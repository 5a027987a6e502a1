// `cairn` within the test's own process: the same code, without the second that it takes to start one.

import { Buffer } from "node:buffer";
import type { Shell } from "../../src/cli/command.ts";
import { runProgram } from "../../src/cli/program.ts";
import type { Exit } from "../e2e/cairn.ts";

/** How a command ended, and what it printed. */
export type Said = Pick<Exit, "code" | "stdout" | "stderr">;

/** Runs a command to its end; nobody answers it, and no signal comes. */
export async function callCairn(argv: readonly string[], env: Shell["env"] = {}): Promise<Said> {
  const out: Uint8Array[] = [];
  const error: Uint8Array[] = [];
  const output = (chunks: Uint8Array[]) => ({
    write: (text: string | Uint8Array) => void chunks.push(Buffer.from(text)),
    taken: () => Promise.resolve(true),
    isTerminal: false,
    isColoured: false,
  });
  const code = await runProgram(argv, {
    out: output(out),
    error: output(error),
    env,
    ask: () => Promise.resolve(undefined),
    onSignal: () => () => {},
    exit: (code) => {
      throw new Error(`A command ended the process with ${code}`);
    },
  });
  return { code, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(error).toString() };
}
