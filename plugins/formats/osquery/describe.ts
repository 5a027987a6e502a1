// One line of osquery's results log -> AuditEvents: a row added or removed, a snapshot, a batch of
// both, or what an osquery server passes on of many hosts.

import type { AuditEvent, FramePosition, Json, JsonObject } from "../../sdk/index.ts";
import { RejectedInput } from "../../sdk/index.ts";
import { commandWithoutSecrets } from "../../sdk/command-secrets.ts";
import {
  type EventDraft,
  frameId,
  listIn,
  objectIn,
  textIn,
  timeAt,
} from "../../sdk/json-frame.ts";
import { isSecretName, NOT_COPIED } from "../../sdk/json-secrets.ts";
import { isObject, setMember } from "../../sdk/mapping-path.ts";
import { readTime } from "../../sdk/mapping-time.ts";
import { actionOfRow, type RowAction } from "./tables.ts";

/** Reasons for which lines are left out. */
export const STATUS = "no action: osquery status log";
const EMPTY = "no action: osquery batch without rows";

/** What a format of this kind needs around a line. */
export interface Surroundings {
  readonly at: FramePosition;
  /** The agent's own host. */
  readonly host: string;
  readonly rowsMax: number;
  readonly ignored: (reason: string) => void;
}

/** Columns that hold the environment of a process, or its secrets under any name. */
const ENVIRONMENT: ReadonlySet<string> = new Set(["env", "envs", "environment"]);

/** Describes the rows of a line, appending to `events`. Throws RejectedInput for what is no line. */
export function describe(root: JsonObject, around: Surroundings, events: AuditEvent[]): void {
  const data = listIn(root, "data");
  if (data !== undefined && textIn(root, "log_type") !== undefined) {
    // The body that osquery posts to a server; its node_key is a secret.
    if (data.length === 0) around.ignored(EMPTY);
    for (const item of data) describe(objectOf(item), around, events);
    return;
  }
  const query = textIn(root, "name");
  if (query === undefined) {
    if (textIn(root, "severity") === undefined && textIn(root, "s") === undefined) {
      throw new RejectedInput('Has no "name" of a query, and is no status line');
    }
    return around.ignored(STATUS);
  }
  const before = events.length;
  const add = (columns: JsonObject, removed: boolean) =>
    events.push(describeRow(root, query, columns, removed, around, events.length));
  const columns = objectIn(root, "columns");
  const batch = objectIn(root, "diffResults");
  const snapshot = listIn(root, "snapshot");
  if (columns !== undefined) add(columns, textIn(root, "action") === "removed");
  else if (batch !== undefined) {
    for (const row of listIn(batch, "added") ?? []) add(objectOf(row), false);
    for (const row of listIn(batch, "removed") ?? []) add(objectOf(row), true);
    if (events.length === before) around.ignored(EMPTY);
  } else if (snapshot !== undefined) {
    events.push(describeSnapshot(root, query, snapshot, around, events.length));
  } else throw new RejectedInput('Has no "columns", "snapshot" or "diffResults"');
}

function objectOf(item: Json): JsonObject {
  if (isObject(item)) return item;
  throw new RejectedInput("Holds an entry that is no object");
}

function describeRow(
  root: JsonObject,
  query: string,
  columns: JsonObject,
  removed: boolean,
  around: Surroundings,
  index: number,
): AuditEvent {
  // A row that is gone was done before; only one that came is an action.
  const done = removed ? undefined : actionOfRow(query, columns);
  const event = frame(root, query, around, index, done);
  if (done !== undefined) {
    const time = columns.time === undefined ? undefined : readTime(columns.time);
    if (time !== undefined && time > 0) event.time = time;
    if (done.origin !== undefined) event.origin = done.origin;
    if (done.resources !== undefined) event.resources = done.resources;
  } else if (removed) event.action = "RemoveRow";
  event.request = { query, columns: copyColumns(columns) };
  return event;
}

function describeSnapshot(
  root: JsonObject,
  query: string,
  rows: readonly Json[],
  around: Surroundings,
  index: number,
): AuditEvent {
  const event = frame(root, query, around, index, undefined);
  const kept = rows.slice(0, around.rowsMax);
  event.action = "TakeSnapshot";
  event.readOnly = true;
  event.request = { query };
  event.response = {
    rows: kept.map((row) => isObject(row) ? copyColumns(row) : row),
    ...(rows.length > kept.length && { rowsLeftOut: rows.length - kept.length }),
  };
  return event;
}

/** What every event of a line has. */
function frame(
  root: JsonObject,
  query: string,
  { at, host }: Surroundings,
  index: number,
  done: RowAction | undefined,
): EventDraft {
  const event: EventDraft = {
    id: frameId(at, index),
    time: timeAt(at, root.unixTime),
    service: "osquery",
    action: done?.action ?? "AddRow",
    actor: done?.actor ?? { type: "service", name: "osquery" },
    outcome: done?.outcome ?? { success: true },
    resources: [{ type: "Osquery::Query", name: query }],
    readOnly: false,
    category: done?.category ?? "Management",
  };
  const decorations = objectIn(root, "decorations");
  const identifier = textIn(root, "hostIdentifier");
  const name = textIn(root, "hostname") ?? textIn(decorations, "hostname") ?? identifier;
  if (name !== undefined && name !== host) event.host = name;
  const additional: Record<string, Json> = {};
  for (const member of ["epoch", "counter"]) {
    const text = textIn(root, member);
    if (text !== undefined) additional[member] = text;
  }
  if (identifier !== undefined && identifier !== name) additional.hostIdentifier = identifier;
  if (decorations !== undefined) additional.decorations = copyColumns(decorations);
  event.additional = additional;
  return event;
}

/** Columns without secrets: command lines lose theirs, environments are not copied. */
function copyColumns(columns: JsonObject): JsonObject {
  const copied: Record<string, Json> = {};
  for (const name of Object.keys(columns)) {
    const value = columns[name];
    if (value === undefined) continue;
    if (ENVIRONMENT.has(name) || isSecretName(name)) setMember(copied, name, NOT_COPIED);
    else setMember(copied, name, typeof value === "string" ? commandWithoutSecrets(value) : value);
  }
  return copied;
}
