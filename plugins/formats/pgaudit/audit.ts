// What pgaudit logged of a statement -> the parts of an event: `AUDIT: SESSION,1,1,READ,SELECT,…`.

import { type Json, RejectedInput, type Resource } from "../../sdk/index.ts";
import { pascalCase } from "../../sdk/mapping-event.ts";
import { ruleOf } from "./actions.ts";
import { splitCsv } from "./csv.ts";
import type { Finding } from "./finding.ts";
import { statementWithoutSecrets } from "./statement.ts";

/** How a message of pgaudit begins. */
export const AUDIT = "AUDIT: ";

const FIELDS_MIN = 9;
const NOTHING: ReadonlySet<string> = new Set(["", "<none>", "<not logged>"]);
// The account that a statement is about, where it is about one alone.
const ROLE =
  /^\s*(?:CREATE|ALTER|DROP)\s+(?:ROLE|USER|GROUP)\s+(?:IF\s+EXISTS\s+)?("(?:[^"]|"")+"|[\w$]+)/i;
const SEVERAL = /;\s*\S/;

/** Reads a message of pgaudit. Throws RejectedInput where its fields are not pgaudit's. */
export function readAudit(text: string, statementMax: number): Finding {
  const fields = splitCsv(text.slice(AUDIT.length));
  if (fields === undefined || fields.length < FIELDS_MIN) {
    throw new RejectedInput("Has no fields of pgaudit");
  }
  const [type, number, subNumber, kind, command, objectType, objectName, statement, parameters] =
    fields as [string, string, string, string, string, string, string, string, string];
  const rows = fields[9];
  const request: Record<string, Json> = {
    auditType: type,
    statementId: Number(number),
    substatementId: Number(subNumber),
    class: kind,
    command,
  };
  if (objectType !== "") request.objectType = objectType;
  if (objectName !== "") request.objectName = objectName;
  if (!NOTHING.has(statement)) request.statement = statementWithoutSecrets(statement, statementMax);
  // The values bound to a statement about a role may be its password.
  if (!NOTHING.has(parameters) && kind !== "ROLE") {
    request.parameters = statementWithoutSecrets(parameters, statementMax);
  }
  const finding: Finding = { ...ruleOf(kind, command, objectType, statement), request };
  if (rows !== undefined && rows !== "") finding.response = { rows: Number(rows) };
  const resource = resourceOf(kind, objectType, objectName, statement);
  if (resource !== undefined) finding.resource = resource;
  return finding;
}

function resourceOf(
  kind: string,
  objectType: string,
  objectName: string,
  statement: string,
): Resource | undefined {
  if (objectName !== "") {
    return { type: `PostgreSQL::${pascalCase(objectType) || "Object"}`, name: objectName };
  }
  const role = kind === "ROLE" && !SEVERAL.test(statement) ? ROLE.exec(statement)?.[1] : undefined;
  if (role === undefined) return undefined;
  const name = role.startsWith('"') ? role.slice(1, -1).replaceAll('""', '"') : role.toLowerCase();
  return { type: "PostgreSQL::Role", name };
}
