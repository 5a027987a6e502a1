// The files an event acted on: PATH records, in the order of their item numbers, made absolute.

import { posix } from "node:path";
import type { Facts } from "./facts.ts";
import type { AuditRecord } from "./parse.ts";

/** One PATH record. */
export interface AuditPath {
  /** Absolute where the records say enough to make it so; undefined where the kernel had none. */
  readonly name: string | undefined;
  /** `NORMAL`, `CREATE`, `DELETE`, `PARENT`, `UNKNOWN`. */
  readonly nametype: string | undefined;
  readonly record: AuditRecord;
}

// Calls whose first argument is the folder that relative names start from.
const AT_CALL = /at2?$/;
// AT_FDCWD, -100, as the record's hex shows an int.
const AT_FDCWD = /^(?:f{8})?ffffff9c$/;

/** The paths of an event. `call` is the system call's name. */
export function pathsOf(facts: Facts, call: string | undefined): readonly AuditPath[] {
  if (facts.paths.length === 0) return [];
  const paths = inOrder(facts.paths);
  const folder = facts.call?.fields.get("a0");
  // Another folder than the working directory: its path is that of the PARENT record, if absolute.
  const elsewhere = call !== undefined && folder !== undefined && AT_CALL.test(call) &&
    !AT_FDCWD.test(folder);
  const base = elsewhere ? parentOf(paths) : facts.cwd?.fields.get("cwd");
  return paths.map((record) => ({
    name: absolute(record.fields.get("name"), base),
    nametype: record.fields.get("nametype") ?? record.fields.get("objtype"),
    record,
  }));
}

/** By their item numbers, in which they nearly always come. */
function inOrder(paths: readonly AuditRecord[]): readonly AuditRecord[] {
  for (let i = 1; i < paths.length; i++) {
    if (item(paths[i - 1]!) > item(paths[i]!)) return [...paths].sort((a, b) => item(a) - item(b));
  }
  return paths;
}

function item(record: AuditRecord): number {
  return Number(record.fields.get("item") ?? 0);
}

function parentOf(paths: readonly AuditRecord[]): string | undefined {
  const parent = paths.find((path) => path.fields.get("nametype") === "PARENT");
  return parent?.fields.get("name");
}

function absolute(name: string | undefined, base: string | undefined): string | undefined {
  if (name === undefined || name.startsWith("/") || base === undefined || !base.startsWith("/")) {
    return name;
  }
  return posix.join(base, name);
}
