// `cairn history`: looks events up in the event history.

import { type HistoryLookup, openLookup, PAGE_EVENTS_MAX } from "../agent/event-history.ts";
import type { HistoryFilter, HistoryPage } from "../../plugins/sdk/event-history.ts";
import { type Arguments, type Command, type Shell, UsageError } from "./command.ts";
import { chooseDataDir, DATA_DIR_OPTIONS, parseNumber } from "./data-dir.ts";
import { EXIT } from "./exit-code.ts";
import { FILTER_OPTIONS, historyFilter } from "./history-filter.ts";
import { csvText, type HistoryText, jsonText, tableText } from "./history-text.ts";
import { escapeText } from "./printable.ts";

const LIMIT = 50;
// How often --follow looks for new events.
const FOLLOW_MS = 500;
// What the agent takes for its own where no configuration says.
const OWN = { accountId: "000000000000", region: "local" };

/** The command. */
export const history: Command = {
  name: "history",
  summary: "Look up what happened, by any attribute",
  words: "[KEY=VALUE…]",
  description:
    "Prints management events of the past days, newest first, that have all of the attributes\n" +
    "given, as options or as KEY=VALUE with the names of LookupEvents. Asks the running agent;\n" +
    "where none runs, reads its data_dir. Times are UTC unless they say otherwise.",
  options: {
    ...FILTER_OPTIONS,
    limit: { type: "string", value: "N", help: `At most so many, or all; ${LIMIT} by default` },
    reverse: { type: "boolean", help: "Oldest first" },
    follow: {
      type: "boolean",
      help: "Events as they come, until a signal; with --since, from then",
    },
    json: { type: "boolean", help: "The records, one a line" },
    csv: { type: "boolean", help: "For a spreadsheet" },
    exporter: { type: "string", value: "ID", help: "Which history, where there are several" },
    ...DATA_DIR_OPTIONS,
  },
  async run(args, shell) {
    const filter = historyFilter(args, Date.now());
    const text = textOf(args, shell);
    const limit = limitOf(args);
    const isFollowed = args.flags.has("follow");
    if (isFollowed && args.flags.has("reverse")) {
      throw new UsageError("Option --follow and option --reverse exclude each other");
    }
    const chosen = await chooseDataDir(args, shell);
    if (typeof chosen === "number") return chosen;
    const { dataDir, config } = chosen;
    const lookup = await openLookup(dataDir, {
      exporter: args.values.exporter?.[0],
      own: config?.agent ?? OWN,
      clock: Date.now,
      tell: (message) => shell.error.write(`cairn: ${escapeText(message)}\n`),
    });
    shell.out.write(text.head);
    const print = { lookup, filter, text, shell };
    if (isFollowed) await follow(print, limit ?? Number.POSITIVE_INFINITY);
    else await printPages(print, args.flags.has("reverse") ? "oldest" : "newest", limit ?? LIMIT);
    return EXIT.ok;
  },
};

function textOf({ flags }: Arguments, shell: Shell): HistoryText {
  if (flags.has("json") && flags.has("csv")) {
    throw new UsageError("Option --json and option --csv exclude each other");
  }
  if (flags.has("csv")) return csvText;
  const { isTerminal } = shell.out;
  return flags.has("json") ? jsonText(isTerminal) : tableText(isTerminal);
}

function limitOf({ values }: Arguments): number | undefined {
  const [text] = values.limit ?? [];
  if (text === undefined) return undefined;
  return text === "all" ? Number.POSITIVE_INFINITY : parseNumber(text, "--limit");
}

interface Print {
  readonly lookup: HistoryLookup;
  readonly filter: HistoryFilter;
  readonly text: HistoryText;
  readonly shell: Shell;
}

async function printPages(print: Print, order: "newest" | "oldest", limit: number): Promise<void> {
  const { lookup, filter } = print;
  let left = limit;
  let after: string | undefined;
  do {
    const page = await lookup({ ...filter, order, after, limit: Math.min(left, PAGE_EVENTS_MAX) });
    if (!await printPage(print, page)) return;
    left -= page.events.length;
    after = page.next;
  } while (left > 0 && after !== undefined);
}

/** False when nobody reads any more. */
async function printPage({ text, shell }: Print, { events }: HistoryPage): Promise<boolean> {
  if (events.length > 0) shell.out.write(events.map((event) => text.line(event)).join(""));
  return await shell.out.taken();
}

async function follow(print: Print, limit: number): Promise<void> {
  const { lookup, filter, shell } = print;
  const stop = new AbortController();
  const close = shell.onSignal(() => stop.abort());
  try {
    const page = (after: string | undefined, limit: number) =>
      lookup({ ...filter, order: "arrival", after, limit });
    let after = filter.startTime === undefined ? (await page(undefined, 0)).next : undefined;
    for (let left = limit; left > 0 && !stop.signal.aborted;) {
      const found = await page(after, Math.min(left, PAGE_EVENTS_MAX));
      if (!await printPage(print, found)) return;
      left -= found.events.length;
      const isMore = found.next !== after;
      after = found.next;
      if (!isMore && left > 0) await pause(stop.signal);
    }
  } finally {
    close();
  }
}

function pause(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, FOLLOW_MS);
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
  });
}
