// `cairn dead-letters show`: single dead letters with their input.

import { Buffer } from "node:buffer";
import type { Letter } from "../agent/stores.ts";
import { type Command, UsageError } from "./command.ts";
import { chooseDataDir, chooseStore, STORE_OPTIONS } from "./data-dir.ts";
import { EXIT } from "./exit-code.ts";
import { letterFilter, matching, noLetters } from "./letter-filter.ts";
import { escapeBytes, escapeText } from "./printable.ts";

/** The command. */
export const deadLettersShow: Command = {
  name: "dead-letters show",
  summary: "Show dead letters with their input",
  words: "NUMBER|FIRST-LAST…",
  description: "Prints what is known of dead letters and their input, on one line, with control\n" +
    "characters escaped. --raw prints the input alone, byte for byte. Ends with 6 where there\n" +
    "is none of these numbers.",
  options: { ...STORE_OPTIONS, raw: { type: "boolean", help: "The input alone, verbatim" } },
  async run(args, shell) {
    if (args.words.length === 0) throw new UsageError("Name the number of a dead letter");
    const filter = letterFilter(args, Date.now());
    const chosen = await chooseDataDir(args, shell);
    if (typeof chosen === "number") return chosen;
    const store = await chooseStore(chosen.dataDir, "dead letters", args);
    const isRaw = args.flags.has("raw");
    let shown = 0;
    for await (const letter of matching(chosen.dataDir, store, filter)) {
      shown++;
      // A copy: it is written while the next one is read.
      shell.out.write(isRaw ? Buffer.from(letter.raw) : describe(letter));
      if (!await shell.out.taken()) return EXIT.ok;
    }
    if (shown === 0) throw noLetters(filter);
    return EXIT.ok;
  },
};

function describe(letter: Letter): string {
  const { number, id, reason, code, from, attempts, firstAt, lastAt, sequence, raw } = letter;
  const cut = letter.rawBytes === undefined ? "" : ` of ${letter.rawBytes}, the rest was not kept`;
  const lines = [
    `number    ${number}`,
    `id        ${id}`,
    `from      ${from}`,
    ...(sequence === undefined ? [] : [`sequence  ${sequence}`]),
    `reason    ${reason}`,
    `code      ${code}`,
    `attempts  ${attempts}`,
    `first     ${new Date(firstAt).toISOString()}`,
    `last      ${new Date(lastAt).toISOString()}`,
    `bytes     ${raw.length}${cut}`,
  ].map((line) => escapeText(line).replaceAll("\n", "\\n"));
  return `${lines.join("\n")}\ninput     ${escapeBytes(raw)}\n\n`;
}
