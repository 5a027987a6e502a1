// What a configuration needs of the host itself: a data_dir with room, and a clock that can be right.

import { stat } from "node:fs/promises";
import { userInfo } from "node:os";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { checkWritableFolder, nearestFolder } from "../../plugins/sdk/check-path.ts";
import type { Finding } from "../../plugins/sdk/index.ts";
import { readableSize } from "../../plugins/sdk/wording.ts";
import type { ResolvedConfig } from "../config/resolved.ts";
import { realFiles } from "../queue/files.ts";

const TIMESYNC = "/run/systemd/timesync";
// Clocks of a build machine and of this one may differ a little.
const TOLERANCE_MS = 60_000;

/** The data_dir, the room on its disk, and the clock. */
export async function examineHost(
  config: ResolvedConfig,
  now: number,
  agentRuns: boolean,
): Promise<readonly Finding[]> {
  const { dataDir } = config;
  const path = "agent.data_dir";
  const who = `Asked as user "${userName()}"; the agent may run as another`;
  const running = `An agent runs on data_dir "${dataDir}"`;
  return [
    { level: "ok", path: "", message: who },
    ...(agentRuns ? [{ level: "ok", path, message: running } as const] : []),
    ...await checkWritableFolder(dataDir, path),
    ...await examineRoom(config),
    ...await examineClock(now),
  ];
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A container's user may have no name.
    return String(process.getuid?.() ?? "unknown");
  }
}

async function examineRoom({ dataDir, pipelines }: ResolvedConfig): Promise<readonly Finding[]> {
  const free = await realFiles.freeBytes(await nearestFolder(dataDir));
  return pipelines.map(({ name, queue }) => {
    const path = `service.pipelines.${name}.queue.min_free_disk`;
    const message = `Disk of data_dir has ${readableSize(free)} free`;
    if (free > queue.freeDiskBytesMin || queue.freeDiskBytesMin === 0) {
      return { level: "ok", path, message };
    }
    const least = readableSize(queue.freeDiskBytesMin);
    const fix = `free some space, or set min_free_disk below it; the limit is ${least}`;
    return { level: "problem", path, message, fix };
  });
}

async function examineClock(now: number): Promise<readonly Finding[]> {
  const path = "";
  const shown = new Date(now).toISOString();
  // No clock can be right that shows a time before this program was there.
  const { mtimeMs } = import.meta.url.startsWith("file:")
    ? await stat(fileURLToPath(import.meta.url))
    : { mtimeMs: 0 };
  const fix = "set the clock: records and signatures carry its time";
  if (now < mtimeMs - TOLERANCE_MS) {
    const message = `Clock shows ${shown}, before this program was installed`;
    return [{ level: "problem", path, message, fix }];
  }
  if (await isThere(`${TIMESYNC}/synchronized`)) {
    return [{ level: "ok", path, message: `Clock shows ${shown}, and is synchronized` }];
  }
  if (await isThere(TIMESYNC)) {
    const message = `Clock shows ${shown}, and is not synchronized (systemd-timesyncd)`;
    return [{ level: "warning", path, message, fix: "see timedatectl timesync-status" }];
  }
  return [{ level: "ok", path, message: `Clock shows ${shown}` }];
}

function isThere(path: string): Promise<boolean> {
  return stat(path).then(() => true, () => false);
}
