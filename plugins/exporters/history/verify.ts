// `cairn verify` of a history's folder: every seal follows the one before, and every segment is there
// and as it was when it was sealed.

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { VerifyOptions, VerifyProblem, VerifyReport } from "../../sdk/verify.ts";
import { readSeals, type Seal, sealHash, SEALS_FILE } from "./seals.ts";
import { segmentLog } from "./segment.ts";
import type { WrittenSegment } from "./write-segment.ts";

const DAY_NAME = /^\d{4}-\d{2}-\d{2}$/;

/** Checks a folder; undefined where it holds no history. */
export async function verifyHistory(
  place: string,
  { signal, from, to, onProblem }: VerifyOptions,
): Promise<VerifyReport | undefined> {
  if (place.startsWith("s3://")) return undefined;
  const names = await readdir(place);
  const isHistory = names.includes(SEALS_FILE) || names.some((name) => /^log-\d{8,}$/.test(name));
  if (!isHistory) return undefined;
  const seals = await checkSeals(place, onProblem);
  const isMeant = (name: string) => {
    const day = Date.parse(name.slice(0, 10));
    return (from === undefined || day + 86_399_999 >= from) && (to === undefined || day <= to);
  };
  let checked = 0;
  let invalid = 0;
  for (const segment of seals.segments.values()) {
    if (!isMeant(segment.name)) continue;
    signal.throwIfAborted();
    checked++;
    const problem = await checkSegment(place, segment);
    if (problem === undefined) continue;
    invalid++;
    onProblem(problem);
  }
  for (const name of (await segmentNames(place, names)).filter(isMeant)) {
    if (seals.segments.has(name)) continue;
    invalid++;
    onProblem({ kind: "unlisted", path: join(place, name), problem: "no seal names it" });
  }
  return {
    counts: {
      seals: { checked: seals.checked, invalid: seals.invalid },
      "history segments": { checked, invalid },
    },
    notes: [
      "Events that came since the last seal are not covered: a day is sealed within a day and an hour",
      seals.last === ""
        ? "Nothing is sealed yet"
        : `The last seal is ${seals.last}: compare it with the agent's log, which a change of the ` +
          "whole chain would not have changed",
    ],
  };
}

interface CheckedSeals {
  readonly segments: ReadonlyMap<string, WrittenSegment>;
  readonly checked: number;
  readonly invalid: number;
  readonly last: string;
}

async function checkSeals(
  place: string,
  onProblem: (problem: VerifyProblem) => void,
): Promise<CheckedSeals> {
  const path = join(place, SEALS_FILE);
  const segments = new Map<string, WrittenSegment>();
  let previous = "";
  let invalid = 0;
  const lines = await readSeals(place);
  for (const [index, line] of lines.entries()) {
    const problem = "seal" in line ? sealProblem(line.seal, previous) : BROKEN;
    if (problem !== undefined) {
      invalid++;
      onProblem({ kind: problem.kind, path, problem: `line ${index + 1}: ${problem.text}` });
    }
    if (!("seal" in line)) continue;
    const { seal } = line;
    previous = seal.hash;
    const added = "dropped" in seal ? [] : seal.segments;
    const isDropped = (name: string) => "dropped" in seal && name.startsWith(`${seal.dropped}/`);
    for (const name of [...segments.keys()].filter(isDropped)) segments.delete(name);
    for (const segment of added) segments.set(segment.name, segment);
  }
  return { segments, checked: lines.length, invalid, last: previous };
}

const BROKEN = { kind: "changed", text: "is no seal" } as const;

function sealProblem(
  seal: Seal,
  previous: string,
): { readonly kind: "changed" | "out of order"; readonly text: string } | undefined {
  if (sealHash(seal) !== seal.hash) {
    return { kind: "changed", text: "its hash does not match what it says" };
  }
  if (seal.previous === previous) return undefined;
  return { kind: "out of order", text: "does not follow the line before" };
}

async function checkSegment(
  place: string,
  { name, sha256 }: WrittenSegment,
): Promise<VerifyProblem | undefined> {
  const path = join(place, name);
  const hash = createHash("sha256");
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return { kind: "missing", path, problem: "is sealed, but is not there" };
  }
  if (hash.digest("hex") === sha256) return undefined;
  return { kind: "changed", path, problem: "its hash is not the one that was sealed" };
}

async function segmentNames(place: string, names: readonly string[]): Promise<readonly string[]> {
  const found: string[] = [];
  const unsealed = unsealedLogs(names);
  for (const day of names.filter((name) => DAY_NAME.test(name))) {
    for (const name of await readdir(join(place, day))) {
      const log = segmentLog(name);
      // A sealing that is under way, or was cut off, is done again by the agent.
      if (log !== undefined && !unsealed.has(log)) found.push(join(day, name));
    }
  }
  return found;
}

function unsealedLogs(names: readonly string[]): ReadonlySet<number> {
  return new Set(names.flatMap((name) => /^log-(\d{8,})$/.exec(name)?.[1] ?? []).map(Number));
}
