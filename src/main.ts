#!/usr/bin/env -S node --max-semi-space-size=8
// The program: the process's arguments, streams and signals to one command, and its exit code back.
// The flag keeps room for young objects at half of V8's default: 25 MiB less under load, no more CPU.

import process from "node:process";
import { createInterface } from "node:readline";
import type { Output, Shell } from "./cli/command.ts";
import { EXIT } from "./cli/exit-code.ts";
import { beginSmallStart } from "./runtime/small-start.ts";

/** A stream of the process, and the error of the first text that it did not take. */
interface ProcessOutput extends Output {
  flushed(): Promise<NodeJS.ErrnoException | undefined>;
}

function output(stream: NodeJS.WriteStream): ProcessOutput {
  // An agent whose log cannot be written goes on; without a listener the error would end it.
  stream.on("error", () => {});
  const isTerminal = stream.isTTY === true;
  let failure: Error | undefined;
  let last: Promise<void> = Promise.resolve();
  let isRead = true;
  const failed = (error: NodeJS.ErrnoException) => {
    isRead = false;
    // A reader that went away (`cairn schema | head`) is no failure of ours.
    if (error.code !== "EPIPE") failure ??= error;
  };
  const send = (text: string | Uint8Array) =>
    new Promise<void>((resolve, reject) => {
      // Node hands an error to the callback; Deno throws it.
      stream.write(text, (error) => error ? reject(error) : resolve());
    }).catch(failed);
  return {
    write: (text) => void (last = send(text)),
    isTerminal,
    isColoured: isTerminal && !process.env.NO_COLOR,
    taken: () => last.then(() => isRead),
    flushed: () => last.then(() => failure),
  };
}

// What a log's reader gets at the end to take what is left; one that is stuck must not keep us.
const LOG_FLUSH_MS = 1000;

const out = output(process.stdout);
const error = output(process.stderr);

const shell: Shell = {
  out,
  error,
  env: process.env,
  onSignal(listener) {
    process.on("SIGINT", listener);
    process.on("SIGTERM", listener);
    return () => {
      process.off("SIGINT", listener);
      process.off("SIGTERM", listener);
    };
  },
  ask: (question) => ask(question),
  exit: (code) => process.exit(code),
};

async function ask(question: string): Promise<string | undefined> {
  if (process.stdin.isTTY !== true || !error.isTerminal) return undefined;
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await new Promise<string | undefined>((resolve) => {
      lines.once("close", () => resolve(undefined));
      lines.question(question, resolve);
    });
  } finally {
    lines.close();
  }
}

beginSmallStart();
const { runProgram } = await import("./cli/program.ts");

let code = await runProgram(process.argv.slice(2), shell);
// A pipe takes 64 KiB at a time: ending before it has taken all would cut the output short.
const failure = await out.flushed();
if (failure !== undefined) {
  error.write(`cairn: Cannot write the output: ${failure.message}\n`);
  code ||= EXIT.failure;
}
await Promise.race([error.flushed(), new Promise((done) => setTimeout(done, LOG_FLUSH_MS))]);
// At once: a component left behind at the deadline must not keep the process.
process.exit(code);
