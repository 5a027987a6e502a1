// `cairn support-bundle`: one archive with what somebody needs who is asked why an agent does what it
// does, and nothing secret. Works with a running agent and without one.

import { Buffer } from "node:buffer";
import { open, unlink } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { hostFacts, redactedText } from "../agent/inspection.ts";
import { detectRuntime } from "../runtime/runtime.ts";
import { VERSION } from "../version.ts";
import type { Command, Shell } from "./command.ts";
import { CONFIG_OPTIONS } from "./configuration.ts";
import { DATA_DIR_OPTIONS } from "./data-dir.ts";
import { EXIT } from "./exit-code.ts";
import { collect, type Section } from "./support-sections.ts";
import { tar } from "./tar.ts";

/** The command. */
export const supportBundle: Command = {
  name: "support-bundle",
  summary: "Gather what is needed to find out what is wrong",
  description:
    "Writes one .tar.gz: version, host, status, metrics, the newest log lines, the configuration\n" +
    "and where each value came from, what queue verify finds, and why things were set aside.\n" +
    "Secrets are taken out, and records are not in it. Name the configuration to have it in.",
  options: {
    output: {
      type: "string",
      short: "o",
      value: "FILE",
      help: "Where to; a new file in the working directory by default, - for standard output",
    },
    "with-payload": {
      type: "boolean",
      help: "With the input of dead letters, which may hold anything",
    },
    "without-verify": { type: "boolean", help: "Without reading the queues whole" },
    ...DATA_DIR_OPTIONS,
    config: CONFIG_OPTIONS.config,
    set: CONFIG_OPTIONS.set,
  },
  async run(args, shell) {
    const now = new Date();
    const runtime = (await detectRuntime()).name;
    const { sections, secrets, dataDir } = await collect(args, shell);
    const about = {
      version: VERSION,
      runtime,
      time: now.toISOString(),
      dataDir,
      host: hostFacts(),
    };
    const all: Section[] = [
      { name: "about.json", text: `${JSON.stringify(about, null, 2)}\n` },
      ...sections,
    ];
    const folder = `cairn-support-${now.toISOString().slice(0, 19).replace(/\D/g, "")}`;
    const files = all.map(({ name, text }) => ({
      path: `${folder}/${name}`,
      // Line by line: what begins like a key must not take the rest of the file with it.
      content: Buffer.from(
        text.split("\n").map((line) => redactedText(line, secrets)).join("\n"),
      ),
    }));
    const path = args.values.output?.[0] ?? `${folder}.tar.gz`;
    await write(path, gzipSync(tar(files, now.getTime())), shell);
    for (const { name, problem } of sections) {
      if (problem !== undefined) shell.error.write(`Without ${name}: ${problem}\n`);
    }
    if (path !== "-") shell.error.write(`Wrote "${path}": look through it before you pass it on\n`);
    return EXIT.ok;
  },
};

/** For the operator's own eyes first; what is there already is not written over. */
async function write(path: string, content: Uint8Array, shell: Shell): Promise<void> {
  if (path === "-") return shell.out.write(content);
  try {
    const file = await open(path, "wx", 0o600);
    try {
      await file.writeFile(content);
    } catch (error) {
      await unlink(path).catch(() => undefined);
      throw error;
    } finally {
      await file.close();
    }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === "EEXIST" ? "it is there already; name another with -o" : message;
    throw new Error(`Cannot write "${path}": ${reason}`, { cause: error });
  }
}
