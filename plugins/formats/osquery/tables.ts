// Tables of osquery whose rows are actions: what was done, by whom, and whether it went well. A row of
// any other table is a fact about the host, added to or gone from a query's result.

import type { Actor, EventCategory, JsonObject, Outcome, Resource } from "../../sdk/index.ts";
import { failure } from "../../sdk/http-status.ts";
import { textIn } from "../../sdk/json-frame.ts";
import { account, assumed, originAt } from "../../sdk/programs/action-event.ts";
import type { EventDraft } from "../../sdk/json-frame.ts";

/** What a row says was done. */
export interface RowAction {
  readonly action: string;
  readonly actor: Actor;
  readonly outcome: Outcome;
  readonly category: EventCategory;
  readonly origin?: EventDraft["origin"];
  readonly resources?: readonly Resource[];
}

type Reader = (columns: JsonObject) => RowAction | undefined;

const SUCCESS: Outcome = { success: true };
const UNSET_UIDS: ReadonlySet<string> = new Set(["-1", "4294967295", "18446744073709551615"]);
// utmp(5): what of a login's life a row of `last` tells.
const LOGIN = "7";
const LOGOUT = "8";
// Accounts that utmp uses for itself.
const NO_ACCOUNTS: ReadonlySet<string> = new Set(["runlevel", "reboot", "shutdown", "LOGIN", ""]);

const READERS: Readonly<Record<string, Reader>> = {
  last(columns) {
    const name = textIn(columns, "username") ?? "";
    const type = textIn(columns, "type");
    if (NO_ACCOUNTS.has(name) || (type !== LOGIN && type !== LOGOUT)) return undefined;
    return {
      action: type === LOGIN ? "UserLogin" : "UserLogout",
      actor: account(name),
      outcome: SUCCESS,
      category: "Management",
      origin: originAt(textIn(columns, "host")),
    };
  },
  shell_history(columns) {
    if (textIn(columns, "command") === undefined) return undefined;
    const actor = account(textIn(columns, "username"), textIn(columns, "uid"));
    return { action: "ExecuteCommand", actor, outcome: SUCCESS, category: "Data" };
  },
  process_events: processEvent,
  bpf_process_events: processEvent,
  es_process_events: (columns) =>
    textIn(columns, "event_type") === "exec" ? processEvent(columns) : undefined,
  file_events(columns) {
    const action = FILE_ACTIONS[textIn(columns, "action") ?? ""];
    const path = textIn(columns, "target_path");
    if (action === undefined || path === undefined) return undefined;
    // The account in a row is the file's owner: who did it is not known.
    const resources = [{ type: "Host::File", name: path }];
    return { action, actor: { type: "user" }, outcome: SUCCESS, category: "Data", resources };
  },
};

const FILE_ACTIONS: Readonly<Record<string, string>> = {
  CREATED: "CreateFile",
  UPDATED: "UpdateFile",
  DELETED: "DeleteFile",
  MOVED_FROM: "MoveFile",
  MOVED_TO: "MoveFile",
  ATTRIBUTES_MODIFIED: "UpdateFileAttributes",
};

function processEvent(columns: JsonObject): RowAction | undefined {
  const path = textIn(columns, "path");
  if (path === undefined) return undefined;
  const uid = textIn(columns, "uid");
  const login = textIn(columns, "auid");
  const runs = account(undefined, uid);
  const actor = login === undefined || UNSET_UIDS.has(login) || login === uid || uid === undefined
    ? runs
    : assumed(uid === "0" ? "root" : uid, account(undefined, login), uid);
  const status = textIn(columns, "exit_code");
  const failed = status !== undefined && /^-[1-9]\d{0,3}$/.test(status);
  return {
    action: "ExecuteCommand",
    actor,
    outcome: failed ? failure("ExecutionFailed", `Ended with ${status}`) : SUCCESS,
    category: "Data",
    resources: [{ type: "Host::File", name: path }],
  };
}

/**
 * What a row that was added says was done; undefined where it is no action. The table is known by
 * the query's name, as packs give it: `pack_incident-response_last`, `pack/fim/file_events`.
 */
export function actionOfRow(query: string, columns: JsonObject): RowAction | undefined {
  const name = query.slice(query.lastIndexOf("/") + 1);
  for (const table of TABLES) {
    if (name === table || (name.startsWith("pack_") && name.endsWith(`_${table}`))) {
      return READERS[table]!(columns);
    }
  }
  return undefined;
}

// The longer names first: `bpf_process_events` ends as `process_events` does.
const TABLES: readonly string[] = Object.keys(READERS).sort((a, b) => b.length - a.length);
