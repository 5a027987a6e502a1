// What a command is, how its arguments are read, and what it may use of the outside world.

import { parseArgs } from "node:util";
import { suggest } from "../config/suggest.ts";

/** The process as commands see it. */
export interface Shell {
  /** Results go here. */
  readonly out: Output;
  /** Everything said beside the results. */
  readonly error: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  /**
   * Asks who sits at the terminal, and resolves with the answer's line; undefined where input or
   * messages are no terminal, or the input ends.
   */
  ask(question: string): Promise<string | undefined>;
  /** Calls back at SIGINT and SIGTERM, until the returned function is called. */
  onSignal(listener: (signal: "SIGINT" | "SIGTERM") => void): () => void;
  /** Ends the process at once. */
  exit(code: number): never;
}

/** A stream of the process. */
export interface Output {
  write(text: string | Uint8Array): void;
  /** Resolves when all of it is taken, with false when nobody reads it any more (`| head`). */
  taken(): Promise<boolean>;
  readonly isTerminal: boolean;
  /** A terminal, and nobody asked for no colour. */
  readonly isColoured: boolean;
}

/** One option of a command. */
export interface Option {
  readonly type: "string" | "boolean";
  /** One letter that stands for it: `-o`. */
  readonly short?: string;
  /** May be given more than once. */
  readonly multiple?: boolean;
  /** How help names the value. */
  readonly value?: string;
  readonly help: string;
}

/** What was given: texts by option; an option that was not given has none. */
export interface Arguments {
  readonly flags: ReadonlySet<string>;
  readonly values: Readonly<Record<string, readonly string[]>>;
  /** What was given without an option. */
  readonly words: readonly string[];
}

/** A command of the program. */
export interface Command {
  /** One word, or two: `queue ls`. */
  readonly name: string;
  readonly summary: string;
  /** What it takes without an option, as help shows it; without it, nothing. */
  readonly words?: string;
  /** Whole sentences for its help page. */
  readonly description: string;
  readonly options: Readonly<Record<string, Option>>;
  /** Resolves with the exit code. */
  run(args: Arguments, shell: Shell): Promise<number>;
}

/** The command line is not understood. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  readonly code = "CAIRN_USAGE";
}

/** Reads arguments by the options of a command. Throws UsageError, with a suggestion where it can. */
export function parseArguments(
  argv: readonly string[],
  options: Readonly<Record<string, Option>>,
  takesWords = false,
): Arguments {
  const { tokens } = parseArgs({
    args: [...argv],
    options: Object.fromEntries(
      Object.entries(options).map(([name, { type, short }]) => [
        name,
        { type, multiple: true, ...(short !== undefined && { short }) },
      ]),
    ),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const flags = new Set<string>();
  const values: Record<string, string[]> = {};
  const words: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") {
      if (!takesWords) throw unknownArgument(token.value, options);
      words.push(token.value);
    }
    if (token.kind !== "option") continue;
    const option = Object.hasOwn(options, token.name) ? options[token.name] : undefined;
    if (option === undefined) throw unknownOption(token.rawName, options);
    if (option.type === "boolean") {
      if (token.value !== undefined) throw new UsageError(`Option --${token.name} takes no value`);
      flags.add(token.name);
      continue;
    }
    const given = values[token.name] ??= [];
    if (token.value === undefined) {
      throw new UsageError(`Option --${token.name} needs a value: ${option.value ?? "TEXT"}`);
    }
    if (given.length > 0 && option.multiple !== true) {
      throw new UsageError(`Option --${token.name} is given twice`);
    }
    given.push(token.value);
  }
  return { flags, values, words };
}

/** The first guess of many is `cairn validate FILE`. */
function unknownArgument(word: string, options: Readonly<Record<string, Option>>): UsageError {
  const hint = "config" in options && /\.ya?ml$/.test(word);
  return new UsageError(
    `Unknown argument "${word}"${hint ? ` (did you mean "--config ${word}"?)` : ""}`,
  );
}

function unknownOption(rawName: string, options: Readonly<Record<string, Option>>): UsageError {
  const names = [...Object.keys(options), "help"].map((name) => `--${name}`);
  const hint = suggest(rawName, names);
  return new UsageError(`Unknown option "${rawName}"${hint === undefined ? "" : ` (${hint})`}`);
}
