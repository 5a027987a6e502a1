// What the commands that pgaudit names are called as actions, and of which kind they are.

import type { EventCategory } from "../../sdk/index.ts";
import { pascalCase } from "../../sdk/mapping-event.ts";

/** How a command is described. */
export interface CommandRule {
  readonly action: string;
  readonly readOnly: boolean;
  readonly category: EventCategory;
}

const NAMES: ReadonlyMap<string, string> = new Map([
  ["SELECT", "SelectRows"],
  ["INSERT", "InsertRows"],
  ["UPDATE", "UpdateRows"],
  ["DELETE", "DeleteRows"],
  ["MERGE", "MergeRows"],
  ["COPY", "CopyRows"],
  ["TRUNCATE TABLE", "TruncateTable"],
  ["SELECT INTO", "CreateTable"],
  ["CREATE TABLE AS", "CreateTable"],
  ["EXECUTE", "ExecuteStatement"],
  ["PREPARE", "PrepareStatement"],
  ["DEALLOCATE", "DeallocateStatement"],
  ["DO", "ExecuteBlock"],
  ["CALL", "ExecuteProcedure"],
  ["EXPLAIN", "ExplainStatement"],
  ["GRANT", "GrantPrivileges"],
  ["REVOKE", "RevokePrivileges"],
  ["SET", "SetParameter"],
  ["RESET", "ResetParameter"],
  ["SHOW", "GetParameter"],
  ["ALTER SYSTEM", "UpdateConfiguration"],
  ["BEGIN", "BeginTransaction"],
  ["START TRANSACTION", "BeginTransaction"],
  ["COMMIT", "CommitTransaction"],
  ["END", "CommitTransaction"],
  ["ROLLBACK", "RollbackTransaction"],
  ["VACUUM", "VacuumTables"],
  ["ANALYZE", "AnalyzeTables"],
  ["CLUSTER", "ClusterTables"],
  ["CHECKPOINT", "WriteCheckpoint"],
  ["COMMENT", "CommentObject"],
  ["LISTEN", "ListenChannel"],
  ["UNLISTEN", "UnlistenChannel"],
  ["NOTIFY", "NotifyChannel"],
  ["FETCH", "FetchRows"],
]);
const VERBS: Readonly<Record<string, string>> = { ALTER: "Update", DROP: "Delete" };
const READS: ReadonlySet<string> = new Set(["SHOW", "EXPLAIN", "FETCH"]);
// Of pgaudit's class MISC, what steers a session; everything else in it changes the server.
const STEERS =
  /^(?:BEGIN|START|COMMIT|END|ROLLBACK|SAVEPOINT|RELEASE|PREPARE|EXECUTE|DEALLOCATE|FETCH|DECLARE|CLOSE|MOVE|SHOW|LISTEN|UNLISTEN|NOTIFY|EXPLAIN|DISCARD)\b/;
const DATA: ReadonlySet<string> = new Set(["READ", "WRITE", "FUNCTION"]);
const PASSWORD = /\bpassword\b/i;

/**
 * The rule of a command (`CREATE TABLE`) of one of pgaudit's classes (`DDL`). Who alters a role with
 * a password in the statement changes that password.
 */
export function ruleOf(kind: string, command: string, objectType: string, statement: string) {
  const data = DATA.has(kind) || (kind.startsWith("MISC") && STEERS.test(command));
  return {
    action: actionOf(kind, command, objectType, statement),
    readOnly: kind === "READ" || READS.has(command),
    category: data ? "Data" : "Management",
  } satisfies CommandRule;
}

function actionOf(kind: string, command: string, objectType: string, statement: string): string {
  if (kind === "FUNCTION" && objectType === "FUNCTION") return "InvokeFunction";
  if (command === "ALTER ROLE" && PASSWORD.test(statement)) return "ChangePassword";
  const named = NAMES.get(command);
  if (named !== undefined) return named;
  const blank = command.indexOf(" ");
  const verb = blank < 0 ? command : command.slice(0, blank);
  const rest = blank < 0 ? "" : command.slice(blank + 1);
  const name = (VERBS[verb] ?? pascalCase(verb)) + pascalCase(rest);
  return name.slice(0, 128) || "ExecuteStatement";
}
