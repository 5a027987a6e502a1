// A process that opens a queue, as the agent does, and holds it until standard input ends. Says
// `open`, or why it cannot. Usage: lock-holder.ts FOLDER

import process from "node:process";
import { realFiles } from "../../src/queue/files.ts";
import { Queue } from "../../src/queue/queue.ts";
import { detectRuntime } from "../../src/runtime/runtime.ts";

const runtime = await detectRuntime();
try {
  const queue = await Queue.open({
    directory: process.argv[2]!,
    clock: Date.now,
    files: { ...realFiles, ...runtime.files },
  });
  console.log("open");
  process.stdin.resume();
  await new Promise((resolve) => process.stdin.once("end", resolve));
  await queue.close();
} catch (error) {
  console.log(error instanceof Error ? error.message : error);
}
