// Records as text for people: one line each, or indented JSON.

import type { CloudTrailRecord, StoredRecord, UserIdentity } from "../../sdk/index.ts";
import { cell, escapeJson } from "./printable.ts";

const DIM = "\u001b[2m";
const RED = "\u001b[31m";
const GREEN = "\u001b[32m";
const BOLD = "\u001b[1m";
const RESET = "\u001b[0m";

const COLUMNS = { time: 20, who: 20, name: 24, source: 24, from: 18, outcome: 16, target: 60 };

/** Time, who, what, on what service, from where, how it ended, to which target; one line. */
export function basicLine({ record }: StoredRecord, color: boolean): string {
  const outcome = textOf(record.errorCode);
  const paint = (code: string, text: string) => color ? `${code}${text}${RESET}` : text;
  const cells = [
    paint(DIM, cell(textOf(record.eventTime) ?? "-", COLUMNS.time)),
    cell(whoOf(record.userIdentity), COLUMNS.who),
    paint(BOLD, cell(textOf(record.eventName) ?? "-", COLUMNS.name)),
    cell(textOf(record.eventSource) ?? "-", COLUMNS.source),
    cell(textOf(record.sourceIPAddress) ?? "-", COLUMNS.from),
    paint(outcome === undefined ? GREEN : RED, cell(outcome ?? "ok", COLUMNS.outcome)),
    cell(targetOf(record), COLUMNS.target, false),
  ];
  return `${cells.join("  ").trimEnd()}\n`;
}

/** The whole record as indented JSON, numbers and names as JavaScript reads them. */
export function detailedText({ record }: StoredRecord): string {
  return `${escapeJson(JSON.stringify(record, null, 2))}\n`;
}

function whoOf(identity: UserIdentity | undefined): string {
  if (identity === undefined || identity === null) return "-";
  const context = identity.sessionContext as { sessionIssuer?: { userName?: unknown } } | undefined;
  const session = textOf(identity.principalId)?.split(":")[1];
  const issuer = textOf(context?.sessionIssuer?.userName);
  if (issuer !== undefined && session !== undefined) return `${session} as ${issuer}`;
  return textOf(identity.userName) ?? issuer ?? textOf(identity.invokedBy) ??
    textOf(identity.principalId) ?? textOf(identity.type) ?? "-";
}

function targetOf({ resources }: CloudTrailRecord): string {
  if (!Array.isArray(resources) || resources.length === 0) return "-";
  const [first] = resources;
  const arn = textOf(first?.ARN) ?? textOf(first?.ARNPrefix) ?? textOf(first?.type) ?? "-";
  const name = arn.startsWith("arn:") ? arn.split(":").slice(5).join(":") : arn;
  return resources.length === 1 ? name : `${name} +${resources.length - 1}`;
}

/** Records of others hold anything anywhere: only text is shown as text. */
function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
