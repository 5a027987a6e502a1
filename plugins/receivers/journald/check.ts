// Looks whether journalctl and what it is to read are there, for `cairn validate --deep`.

import { execFile } from "node:child_process";
import type { z } from "zod";
import { checkReadable, checkReadableFolder, reasonOf } from "../../sdk/check-path.ts";
import type { CheckContext, Finding } from "../../sdk/index.ts";
import type { config } from "./config.ts";

const PROGRAM_MS_MAX = 5000;

/** The program, and the folder or files that are read instead of this machine's journal. */
export async function check(
  { command, directory, files }: z.output<typeof config>,
  { signal }: CheckContext,
): Promise<readonly Finding[]> {
  const findings = await Promise.all([
    checkProgram(command, signal),
    directory === undefined ? [] : checkReadableFolder(directory, "directory"),
    ...files.map((path) => checkReadable(path, "files")),
  ]);
  return findings.flat();
}

function checkProgram(command: string, signal: AbortSignal): Promise<Finding[]> {
  const path = "command";
  return new Promise((done) => {
    const failed = (error: unknown) => {
      const message = `Cannot run "${command}": ${reasonOf(error)}`;
      done([{ level: "problem", path, message, fix: "install it, or name it with its path" }]);
    };
    const asked = (error: Error | null) => {
      if (error !== null) failed(error);
      else done([{ level: "ok", path, message: `Program "${command}" is there` }]);
    };
    try {
      execFile(command, ["--version"], { signal, timeout: PROGRAM_MS_MAX }, asked);
    } catch (error) {
      failed(error);
    }
  });
}
