// `cairn queue show`: records of a queue, each as readable JSON.

import { NotFoundError, type Store, viewStore } from "../agent/stores.ts";
import type { DataDir } from "../agent/data-dir.ts";
import { type Command, type Shell, UsageError } from "./command.ts";
import { chooseDataDir, chooseStore, chooseStores, parseRange, STORE_OPTIONS } from "./data-dir.ts";
import { EXIT } from "./exit-code.ts";
import { prettyRecord } from "./record-text.ts";

/** The command. */
export const queueShow: Command = {
  name: "queue show",
  summary: "Show records by sequence, range or eventID",
  words: "SEQUENCE|FIRST-LAST|EVENTID…",
  description:
    "Prints records that are in a queue as readable JSON, by sequence (12), range (12-20)\n" +
    "or eventID. Ends with 6 where one of them is not there, or no longer.",
  options: STORE_OPTIONS,
  async run(args, shell) {
    if (args.words.length === 0) throw new UsageError("Name a sequence, a range or an eventID");
    const chosen = await chooseDataDir(args, shell);
    if (typeof chosen === "number") return chosen;
    const { dataDir } = chosen;
    const missing: string[] = [];
    for (const word of args.words) {
      const isRange = /^\d+(?:-\d+)?$/.test(word);
      let shown = 0;
      if (!isRange) {
        const stores = await chooseStores(dataDir, "queue", args);
        for (const store of stores) shown += await show(dataDir, store, shell, word);
      } else {
        const [first, last] = parseRange(word, "sequence");
        const store = await chooseStore(dataDir, "queue", args);
        shown = await show(dataDir, store, shell, undefined, first, last);
      }
      if (shown === 0) missing.push(word);
      if (!await shell.out.taken()) return EXIT.ok;
    }
    if (missing.length === 0) return EXIT.ok;
    throw new NotFoundError(
      `Not in the queue, or no longer: ${missing.map((word) => `"${word}"`).join(", ")}`,
    );
  },
};

/** Shows the records of a range, of that eventID where one is named; answers how many. */
async function show(
  dataDir: DataDir,
  store: Store,
  shell: Shell,
  id: string | undefined,
  first = 1,
  last = Number.MAX_SAFE_INTEGER,
): Promise<number> {
  const view = await viewStore(dataDir, store);
  let shown = 0;
  for await (const record of view.records(first, Math.min(last, view.next - 1))) {
    if (id !== undefined && record.id !== id) continue;
    shown++;
    shell.out.write(prettyRecord(record.bytes));
    if (!await shell.out.taken()) break;
  }
  return shown;
}
