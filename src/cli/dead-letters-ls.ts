// `cairn dead-letters ls`: what was set aside, and why.

import { counted } from "../../plugins/sdk/wording.ts";
import { type Letter, viewLetters } from "../agent/stores.ts";
import type { Command } from "./command.ts";
import { chooseDataDir, chooseStores, STORE_OPTIONS } from "./data-dir.ts";
import { EXIT } from "./exit-code.ts";
import { LETTER_OPTIONS, letterFilter, matching } from "./letter-filter.ts";
import { escapeText, formatTime } from "./printable.ts";

/** The command. */
export const deadLettersLs: Command = {
  name: "dead-letters ls",
  summary: "List what was set aside, and why",
  description:
    "Lists dead letters: number, when last set aside, the receiver or exporter, attempts,\n" +
    "code and reason; then how many there are and where the others went.",
  options: {
    ...LETTER_OPTIONS,
    ...STORE_OPTIONS,
    json: { type: "boolean", help: "Print each as a line of JSON, without its input" },
  },
  async run(args, shell) {
    const filter = letterFilter(args, Date.now());
    const chosen = await chooseDataDir(args, shell);
    if (typeof chosen === "number") return chosen;
    const isJson = args.flags.has("json");
    for (const store of await chooseStores(chosen.dataDir, "dead letters", args)) {
      const { pipeline } = store;
      for await (const letter of matching(chosen.dataDir, store, filter)) {
        shell.out.write(isJson ? jsonLine(pipeline, letter) : letterLine(letter));
        if (!await shell.out.taken()) return EXIT.ok;
      }
      if (isJson) continue;
      const { kept, replayed, purged, dropped } = await viewLetters(chosen.dataDir, store);
      shell.out.write(
        `pipeline ${pipeline}: ${
          counted(kept, "dead letter")
        } (replayed ${replayed}, purged ${purged}, ` +
          `dropped ${dropped})\n`,
      );
    }
    return EXIT.ok;
  },
};

function jsonLine(pipeline: string, letter: Letter): string {
  const { raw, firstAt, lastAt, ...about } = letter;
  const times = { firstAt: iso(firstAt), lastAt: iso(lastAt) };
  return `${JSON.stringify({ pipeline, ...about, ...times, bytes: raw.length })}\n`;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

function letterLine({ number, lastAt, from, attempts, code, reason, raw }: Letter): string {
  const times = attempts === 1 ? "once" : `${attempts} times`;
  const text = `${number} ${formatTime(lastAt)} ${from} ${times} ${code}: ${reason} ` +
    `(${counted(raw.length, "byte")})`;
  return `${escapeText(text).replaceAll("\n", "\\n")}\n`;
}
