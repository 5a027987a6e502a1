// Help pages: of the program, and of each command.

import type { Command } from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { EXIT, EXIT_MEANINGS } from "./exit-code.ts";

/** `cairn --help`. */
export function programHelp(): string {
  const commands = Object.entries(COMMANDS).map(([name, { summary }]) => row(name, summary));
  const codes = Object.entries(EXIT).map(([name, code]) =>
    row(String(code), EXIT_MEANINGS[name as keyof typeof EXIT])
  );
  return [
    "Cairn records what users, roles and services do, as AWS CloudTrail records.",
    "",
    "Usage: cairn COMMAND [OPTION]…",
    "",
    "Commands:",
    ...commands,
    "",
    "Options:",
    row("--help", "Print this help, or a command's: cairn COMMAND --help"),
    row("--version", "Print the version"),
    "",
    "Exit codes:",
    ...codes,
    "",
  ].join("\n");
}

/** `cairn GROUP --help`: commands whose names begin with that word; undefined where none does. */
export function groupHelp(group: string): string | undefined {
  const commands = Object.entries(COMMANDS).filter(([name]) => name.startsWith(`${group} `));
  if (commands.length === 0) return undefined;
  return [
    `Usage: cairn ${group} COMMAND [OPTION]…`,
    "",
    "Commands:",
    ...commands.map(([name, { summary }]) => row(name.slice(group.length + 1), summary)),
    "",
    "Options:",
    row("--help", `Print this help, or a command's: cairn ${group} COMMAND --help`),
    "",
  ].join("\n");
}

/** `cairn COMMAND --help`. */
export function commandHelp(command: Command): string {
  const options = Object.entries(command.options).map(([name, option]) => {
    const value = option.type === "string" ? ` ${option.value ?? "TEXT"}` : "";
    const short = option.short === undefined ? "" : `-${option.short}, `;
    return row(`${short}--${name}${value}${option.multiple === true ? "…" : ""}`, option.help);
  });
  return [
    `Usage: cairn ${command.name} [OPTION]…${
      command.words === undefined ? "" : ` ${command.words}`
    }`,
    "",
    command.description,
    "",
    "Options:",
    ...options,
    row("--help", "Print this help"),
    "",
  ].join("\n");
}

function row(name: string, text: string): string {
  return `  ${name.padEnd(20)} ${text}`;
}
