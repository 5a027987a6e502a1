// `cairn queue ls`: what the queues of a data_dir hold, whether an agent runs or not.

import { counted } from "../../plugins/sdk/wording.ts";
import { askControl } from "../agent/ask-control.ts";
import type { DataDir } from "../agent/data-dir.ts";
import type { AgentStatus } from "../agent/status.ts";
import { type QueueView, type Store, viewStore } from "../agent/stores.ts";
import type { Command } from "./command.ts";
import { chooseDataDir, chooseStores, STORE_OPTIONS } from "./data-dir.ts";
import { EXIT } from "./exit-code.ts";
import { formatTime } from "./printable.ts";

/** The command. */
export const queueLs: Command = {
  name: "queue ls",
  summary: "List queues: segments, records, how far each exporter is",
  description:
    "Lists the queue of each pipeline with its segments and the cursor of each exporter.\n" +
    "Reads the files, whether an agent runs or not; a running agent adds its problems.",
  options: {
    ...STORE_OPTIONS,
    json: { type: "boolean", help: "Print the list as JSON" },
  },
  async run(args, shell) {
    const chosen = await chooseDataDir(args, shell);
    if (typeof chosen === "number") return chosen;
    const stores = await chooseStores(chosen.dataDir, "queue", args);
    const status = await askStatus(chosen.dataDir);
    const queues = [];
    for (const store of stores) {
      queues.push(describe(store, await viewStore(chosen.dataDir, store), status));
    }
    const text = args.flags.has("json")
      ? `${JSON.stringify(queues, null, 2)}\n`
      : queues.map(format).join("\n");
    shell.out.write(text);
    return EXIT.ok;
  },
};

type Listed = ReturnType<typeof describe>;

function describe(
  { pipeline, directory }: Store,
  view: QueueView,
  status: AgentStatus | undefined,
) {
  const { owner, segments, oldest, next, totals, cursors } = view;
  const [received, filtered, duplicate, rejected] = totals;
  const live = status?.pipelines.find(({ name }) => name === pipeline)?.queue;
  return {
    pipeline,
    directory,
    ...(owner === undefined ? {} : { pid: owner }),
    bytes: segments.reduce((sum, { bytes }) => sum + bytes, 0),
    records: next - oldest,
    oldest,
    next,
    oldestAt: segments[0]?.begunAt ?? 0,
    newestAt: segments[segments.length - 1]?.writtenAt ?? 0,
    counts: { received, filtered, duplicate, rejected, stored: next - 1 },
    segments,
    cursors: [...cursors].map(([name, state]) => {
      return { name, lag: next - (state?.position ?? oldest), ...(state ?? { unreadable: true }) };
    }),
    ...(live === undefined ? {} : { blocked: live.blocked }),
    ...(live?.problem === undefined ? {} : { problem: live.problem }),
  };
}

/** What a running agent says; undefined where none answers. */
async function askStatus({ socket }: DataDir): Promise<AgentStatus | undefined> {
  try {
    return await askControl(socket, "/status") as AgentStatus;
  } catch {
    // Its files are there all the same, and they are what is asked for.
    return undefined;
  }
}

function format(queue: Listed): string {
  const { pipeline, pid, records, oldest, next, bytes, segments, cursors } = queue;
  const range = records === 0 ? `next ${next}` : `${oldest}-${next - 1}`;
  const lines = [
    `pipeline ${pipeline}${pid === undefined ? "" : ` (open in process ${pid})`}`,
    `  ${counted(records, "record")} (${range}), ${counted(bytes, "byte")} in ` +
    `${counted(segments.length, "segment")}, ` +
    `${formatTime(queue.oldestAt)} to ${formatTime(queue.newestAt)}`,
  ];
  if (queue.problem !== undefined) {
    lines.push(`  problem: ${queue.problem}${queue.blocked ? "; receivers wait" : ""}`);
  }
  for (const { path, first, last, bytes: size, begunAt } of segments) {
    const held = last < first ? "empty" : `${first}-${last}`;
    lines.push(`  segment ${path}: ${held}, ${size} bytes, begun ${formatTime(begunAt)}`);
  }
  for (const cursor of cursors) {
    lines.push(
      "position" in cursor
        ? `  exporter ${cursor.name}: at ${cursor.position}, ${cursor.lag} to go`
        : `  exporter ${cursor.name}: its place cannot be read, ${cursor.lag} to go`,
    );
  }
  return `${lines.join("\n")}\n`;
}
