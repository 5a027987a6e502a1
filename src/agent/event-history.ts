// The event history for `cairn history`: asked of the running agent through its control socket, or
// read in its data_dir where no agent runs.

import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import {
  type EventHistory,
  eventHistoryService,
  type HistoryPage,
  type HistoryPlace,
  type HistoryQuery,
  LOOKUP_KEYS,
} from "../../plugins/sdk/event-history.ts";
import type { ExporterFactory, ServiceKind } from "../../plugins/sdk/index.ts";
import { AgentNotRunningError, askControl } from "./ask-control.ts";
import { type ControlRoutes } from "./control.ts";
import type { DataDir } from "./data-dir.ts";
import { createRegistry } from "./registry.ts";
import { NotFoundError } from "./stores.ts";

/** Most events asked for at once: their texts are a few MiB. */
export const PAGE_EVENTS_MAX = 1000;
// A page of a rare text may take a second on a busy machine.
const ANSWER_MS = 60_000;

const time = z.number().optional();
const queryOf = z.strictObject({
  exporter: z.string().optional(),
  attributes: z.array(z.strictObject({ key: z.enum(LOOKUP_KEYS), value: z.string() })).max(100),
  category: z.enum(["management", "insight"]),
  text: z.string().optional(),
  startTime: time,
  endTime: time,
  accountId: z.string().optional(),
  region: z.string().optional(),
  errorsOnly: z.boolean().optional(),
  limit: z.int().min(0).max(PAGE_EVENTS_MAX),
  after: z.string().optional(),
  order: z.enum(["newest", "oldest", "arrival"]).optional(),
});

/** What a command looks up, and in which history: that of an exporter, by its id. */
export interface HistoryChoice {
  readonly exporter?: string | undefined;
}

/** What a command looks up in. */
export type HistoryLookup = (query: HistoryQuery) => Promise<HistoryPage>;

/** How the agent answers. */
export function historyRoutes(
  components: { find<S>(kind: ServiceKind<S>): readonly S[] },
): ControlRoutes {
  return {
    "POST /history": async (value, signal) => {
      const { exporter, ...query } = queryOf.parse(value);
      const histories = components.find(eventHistoryService).map((history) =>
        [history.exporter ?? "history", history] as const
      );
      const history = choose(histories, exporter);
      if (history !== undefined) return await history.lookup({ ...query, signal });
      throw new NotFoundError("The agent keeps no event history: configure exporter history");
    },
  };
}

/** The history asked for, or the only one. Throws NotFoundError where that is not one. */
function choose<T>(
  histories: readonly (readonly [id: string, history: T])[],
  exporter: string | undefined,
): T | undefined {
  const ids = histories.map(([id]) => id).join(", ");
  if (exporter !== undefined) {
    const found = histories.find(([id]) => id === exporter);
    if (found !== undefined || histories.length === 0) return found?.[1];
    throw new NotFoundError(`Exporter "${exporter}" keeps no event history: there is ${ids}`);
  }
  if (histories.length <= 1) return histories[0]?.[1];
  throw new NotFoundError(`There are several event histories: choose by --exporter one of ${ids}`);
}

/** Where to read, if no agent runs. */
export type OfflinePlace = Omit<HistoryPlace, "directory"> & HistoryChoice;

/** The running agent's history; where none runs, what is in its data_dir. Throws NotFoundError. */
export async function openLookup(dataDir: DataDir, place: OfflinePlace): Promise<HistoryLookup> {
  const ask: HistoryLookup = async (query) =>
    await askControl(dataDir.socket, "/history", {
      value: { ...query, exporter: place.exporter, signal: undefined },
      answerMs: ANSWER_MS,
    }) as HistoryPage;
  try {
    await ask({ attributes: [], category: "management", limit: 0 });
    return ask;
  } catch (error) {
    if (!(error instanceof AgentNotRunningError)) throw error;
  }
  const history = await openOffline(dataDir, place);
  return (query) => history.lookup(query);
}

async function openOffline(
  dataDir: DataDir,
  { exporter, ...place }: OfflinePlace,
): Promise<EventHistory> {
  const folder = join(dataDir.component("exporter", "history"), "..");
  const names = await readdir(folder).catch(() => []);
  const kept = names.sort().filter((each) => /^exporter\.history(%2F|$)/.test(each));
  const name = choose(kept.map((each) => [idOf(each), each]), exporter);
  const factory = await createRegistry().load("exporter", "history") as ExporterFactory | undefined;
  if (name === undefined || factory?.openHistory === undefined) {
    throw new NotFoundError(`There is no event history in data_dir "${dataDir.path}"`);
  }
  return await factory.openHistory({ ...place, directory: join(folder, name) });
}

/** The component that a folder is of, as DataDir.component() names it. */
function idOf(name: string): string {
  return decodeURIComponent(name.slice("exporter.".length));
}
