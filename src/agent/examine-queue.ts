// A quick look at the queues of a configuration: the headers of their segments, and what was set
// aside before. Takes no lock and changes nothing, so that an agent may be running.

import { basename, join } from "node:path";
import { checkWritableFolder } from "../../plugins/sdk/check-path.ts";
import type { Finding } from "../../plugins/sdk/index.ts";
import { counted } from "../../plugins/sdk/wording.ts";
import type { ResolvedConfig } from "../config/resolved.ts";
import { errorCode, type Files, realFiles } from "../queue/files.ts";
import { findHeader, QueueVersionError, segmentOrdinal } from "../queue/segment.ts";
import { dataDirAt } from "./data-dir.ts";

// Headers hold the positions of all receivers: a queue of many small segments is looked at from its
// end.
const SEGMENTS_MAX = 256;
const TOLERANCE_MS = 60_000;

/** What there is of each pipeline's queue. */
export async function examineQueues(
  { dataDir, pipelines }: ResolvedConfig,
  now: number,
): Promise<readonly Finding[]> {
  const at = dataDirAt(dataDir);
  const findings = pipelines.map(({ name }) =>
    examineQueue(at.queue(name), `service.pipelines.${name}.queue`, now)
  );
  return (await Promise.all(findings)).flat();
}

async function examineQueue(folder: string, path: string, now: number): Promise<Finding[]> {
  let names: readonly string[];
  try {
    names = await realFiles.list(folder);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return [{ level: "ok", path, message: "No queue yet" }];
    const message = `Cannot look at queue "${folder}": ${errorCode(error) ?? String(error)}`;
    return [{ level: "warning", path, message, fix: "ask as the agent's user" }];
  }
  const segments = names.filter((name) => segmentOrdinal(name) !== undefined).sort()
    .slice(-SEGMENTS_MAX);
  const looks = segments.map((name) => examineSegment(realFiles, join(folder, name), path, now));
  const findings = (await Promise.all(looks)).flat();
  findings.push(...await examineAside(folder, names, path));
  const writable = await checkWritableFolder(folder, path);
  findings.push(...writable.filter(({ level }) => level === "problem"));
  if (findings.length > 0) return findings;
  const count = counted(segments.length, "segment");
  return [{ level: "ok", path, message: `Queue has ${count}, whose headers can be read` }];
}

async function examineSegment(
  files: Files,
  file: string,
  path: string,
  now: number,
): Promise<Finding[]> {
  const name = basename(file);
  try {
    const segment = await files.open(file, "read");
    try {
      const found = await findHeader(segment, file, await segment.size());
      if (found === undefined) {
        const message = `Segment "${name}" has no header that can be read`;
        return [{ level: "warning", path, message, fix: "the next start sets it aside" }];
      }
      if (found.header.at > now + TOLERANCE_MS) {
        const message = `Segment "${name}" was begun after what the clock shows`;
        return [{ level: "warning", path, message, fix: "check the clock" }];
      }
      const message = `Segment "${name}" has one damaged copy of its header`;
      return found.damaged ? [{ level: "warning", path, message, fix: "check the disk" }] : [];
    } finally {
      await segment.close();
    }
  } catch (error) {
    // Delivered meanwhile.
    if (errorCode(error) === "ENOENT") return [];
    const isNewer = error instanceof QueueVersionError;
    const reason = error instanceof Error ? error.message : String(error);
    const fix = isNewer ? "run the Cairn that wrote it" : "ask as the agent's user";
    const message = isNewer ? reason : `Cannot read segment "${name}": ${reason}`;
    return [{ level: isNewer ? "problem" : "warning", path, message, fix }];
  }
}

/** What earlier starts and reads have put out of the way. */
async function examineAside(
  folder: string,
  names: readonly string[],
  path: string,
): Promise<Finding[]> {
  const quarantine = await realFiles.list(join(folder, "quarantine")).catch(() => []);
  const broken = names.filter((name) => name.endsWith(".broken")).length;
  const count = quarantine.length + broken;
  if (count === 0) return [];
  const message = `${count} ${count === 1 ? "file" : "files"} of damaged parts are kept aside`;
  return [{ level: "warning", path, message, fix: `look into "${folder}", and check the disk` }];
}
