#!/usr/bin/env node
// The program: the process's arguments, streams and signals to one command, and its exit code back.

import process from "node:process";
import type { Output, Shell } from "./cli/command.ts";
import { beginSmallStart } from "./runtime/small-start.ts";

function output(stream: NodeJS.WriteStream): Output {
  // A reader that went away (`cairn schema | head`) is no failure of ours.
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
  const isTerminal = stream.isTTY === true;
  return {
    write: (text) => void stream.write(text),
    isTerminal,
    isColoured: isTerminal && !process.env.NO_COLOR,
  };
}

const shell: Shell = {
  out: output(process.stdout),
  error: output(process.stderr),
  env: process.env,
  onSignal(listener) {
    process.on("SIGINT", listener);
    process.on("SIGTERM", listener);
    return () => {
      process.off("SIGINT", listener);
      process.off("SIGTERM", listener);
    };
  },
  exit: (code) => process.exit(code),
};

beginSmallStart();
const { runProgram } = await import("./cli/program.ts");

// At once: a component left behind at the deadline must not keep the process.
process.exit(await runProgram(process.argv.slice(2), shell));
