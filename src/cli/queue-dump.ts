// `cairn queue dump`: a queue's records, one a line, as many as there are.

import type { DataDir } from "../agent/data-dir.ts";
import { type QueueView, type Store, viewStore } from "../agent/stores.ts";
import { type Command, type Shell, UsageError } from "./command.ts";
import { chooseDataDir, chooseStore, parseNumber, STORE_OPTIONS } from "./data-dir.ts";
import { EXIT } from "./exit-code.ts";
import { readableLine, recordLine } from "./record-text.ts";

// Written at once: about what a pipe takes.
const WRITE_CHARS = 64 * 1024;
// How often --follow looks for new records.
const FOLLOW_MS = 250;

/** The command. */
export const queueDump: Command = {
  name: "queue dump",
  summary: "Print the records of a queue, one a line",
  description:
    "Prints records as JSON lines, byte for byte as they are stored; on a terminal, and\n" +
    "without --json, as readable lines. A reader that has enough (head) ends it.",
  options: {
    ...STORE_OPTIONS,
    json: { type: "boolean", help: "JSON lines, on a terminal too" },
    from: { type: "string", value: "SEQUENCE", help: "The first record; the oldest by default" },
    to: { type: "string", value: "SEQUENCE", help: "The last record; the newest by default" },
    follow: { type: "boolean", help: "Go on with what comes, until a signal" },
  },
  async run(args, shell) {
    const number = (name: "from" | "to") => {
      const [text] = args.values[name] ?? [];
      return text === undefined ? undefined : parseNumber(text, `--${name}`);
    };
    const first = number("from") ?? 1;
    const last = number("to") ?? Number.MAX_SAFE_INTEGER;
    if (first > last) throw new UsageError(`Option --from ${first} is after --to ${last}`);
    const chosen = await chooseDataDir(args, shell);
    if (typeof chosen === "number") return chosen;
    const store = await chooseStore(chosen.dataDir, "queue", args);
    const isJson = args.flags.has("json") || !shell.out.isTerminal;
    const line = isJson ? recordLine : readableLine;
    const dump = { dataDir: chosen.dataDir, store, shell, line };
    if (args.flags.has("follow")) await follow(dump, first, last);
    else await print(dump, await viewStore(dump.dataDir, store), first, last);
    return EXIT.ok;
  },
};

interface Dump {
  readonly dataDir: DataDir;
  readonly store: Store;
  readonly shell: Shell;
  readonly line: typeof recordLine;
}

/** Prints the records there are; false when nobody reads them any more. */
async function print(
  { shell, line }: Dump,
  view: QueueView,
  first: number,
  last: number,
): Promise<boolean> {
  let text = "";
  for await (const record of view.records(first, Math.min(last, view.next - 1))) {
    text += line(record);
    if (text.length < WRITE_CHARS) continue;
    shell.out.write(text);
    text = "";
    // Before more is read: a slow reader must not make the rest pile up here.
    if (!await shell.out.taken()) return false;
  }
  if (text !== "") shell.out.write(text);
  return await shell.out.taken();
}

async function follow(dump: Dump, first: number, last: number): Promise<void> {
  let stop = () => {};
  let isStopped = false;
  const close = dump.shell.onSignal(() => {
    isStopped = true;
    stop();
  });
  try {
    for (let next = first; next <= last && !isStopped;) {
      const view = await viewStore(dump.dataDir, dump.store);
      if (!await print(dump, view, next, last)) return;
      next = Math.max(next, view.next);
      if (next > last) return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, FOLLOW_MS);
        stop = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  } finally {
    close();
  }
}
