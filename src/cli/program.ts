// From the command line to a command and its exit code. Every error ends here as one line.

import { VERSION } from "../version.ts";
import { type Arguments, type Command, parseArguments, type Shell, UsageError } from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { EXIT } from "./exit-code.ts";
import { commandHelp, groupHelp, programHelp } from "./help.ts";
import { suggest } from "../config/suggest.ts";

/** Runs what the arguments ask for; resolves with the exit code and never rejects. */
export async function runProgram(argv: readonly string[], shell: Shell): Promise<number> {
  try {
    return await dispatch(argv, shell);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    shell.error.write(`cairn: ${message}\n`);
    if (!(error instanceof UsageError)) return codeOf(error);
    shell.error.write(`Try "${helpFor(argv)}"\n`);
    return EXIT.usage;
  }
}

async function dispatch(argv: readonly string[], shell: Shell): Promise<number> {
  const [first] = argv;
  const { name, rest } = splitName(argv);
  if (first === undefined || name === undefined) {
    shell.error.write(programHelp());
    return EXIT.usage;
  }
  if (name === "--help" || name === "-h" || name === "help") {
    shell.out.write(programHelp());
    return EXIT.ok;
  }
  if (name === "--version") {
    shell.out.write(`cairn ${VERSION}\n`);
    return EXIT.ok;
  }
  const found = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (found === undefined) {
    const group = name === first ? groupHelp(first) : undefined;
    if (group !== undefined) {
      const isAsked = rest.some((word) => HELP.has(word));
      (isAsked ? shell.out : shell.error).write(group);
      return isAsked ? EXIT.ok : EXIT.usage;
    }
    const what = name.startsWith("-") ? "option" : "command";
    const hint = suggest(name, Object.keys(COMMANDS));
    throw new UsageError(`Unknown ${what} "${name}"${hint === undefined ? "" : ` (${hint})`}`);
  }
  const command = await found.load();
  if (rest.some((word) => HELP.has(word))) {
    shell.out.write(commandHelp(command));
    return EXIT.ok;
  }
  return await command.run(parse(rest, command), shell);
}

/** Where the options are told that were not understood. */
function helpFor(argv: readonly string[]): string {
  const { name } = splitName(argv);
  const isCommand = name !== undefined && Object.hasOwn(COMMANDS, name);
  return isCommand ? `cairn ${name} --help` : "cairn --help";
}

const HELP = new Set(["--help", "-h"]);

function parse(argv: readonly string[], { options, words }: Command): Arguments {
  return parseArguments(argv, options, words !== undefined);
}

/** A command's name is one word, or two where the first names a group. */
function splitName(argv: readonly string[]): { name: string | undefined; rest: readonly string[] } {
  const [first, second] = argv;
  const isGroup = first !== undefined && groupHelp(first) !== undefined;
  const takesSecond = isGroup && second !== undefined && !second.startsWith("-");
  return takesSecond
    ? { name: `${first} ${second}`, rest: argv.slice(2) }
    : { name: first, rest: argv.slice(1) };
}

const CODES: Readonly<Record<string, number>> = {
  CAIRN_CONFIG: EXIT.configuration,
  CAIRN_DATA_DIR: EXIT.dataDir,
  CAIRN_NOT_RUNNING: EXIT.notRunning,
  CAIRN_NOT_FOUND: EXIT.notFound,
  CAIRN_UNREADABLE: EXIT.unreadable,
};

function codeOf(error: unknown): number {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? CODES[code] ?? EXIT.failure : EXIT.failure;
}
