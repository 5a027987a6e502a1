// One event of the engine, as JSON (with or without the members of its first versions) or as the
// text of `docker events` -> EngineEvent.

import { type FramePosition, type JsonObject, RejectedInput } from "../../sdk/index.ts";
import { objectIn, textIn, timeAt } from "../../sdk/json-frame.ts";
import { readTime } from "../../sdk/mapping-time.ts";
import { typeOfStatus } from "./actions.ts";

/** What an engine says happened. */
export interface EngineEvent {
  /** Milliseconds since the epoch. */
  readonly time: number;
  /** Nanoseconds as their digits, where the engine tells them: its own identity of a moment. */
  readonly nanos: string | undefined;
  readonly type: string;
  /** Without what follows it, as the command of `exec_start: ls`. */
  readonly verb: string;
  /** What followed the verb. */
  readonly detail: string | undefined;
  readonly actorId: string | undefined;
  readonly attributes: ReadonlyMap<string, string>;
  /** `swarm` for what happened in the cluster. */
  readonly scope: string | undefined;
}

/** Reads the JSON of an event. */
export function fromJson(root: JsonObject, at: FramePosition): EngineEvent {
  const status = textIn(root, "Action") ?? textIn(root, "status");
  if (status === undefined) throw new RejectedInput('Has no "Action"');
  const actor = objectIn(root, "Actor");
  const attributes = new Map<string, string>();
  const given = objectIn(actor, "Attributes");
  for (const name of given === undefined ? [] : Object.keys(given)) {
    const value = textIn(given, name);
    if (value !== undefined) attributes.set(name, value);
  }
  const from = textIn(root, "from");
  if (given === undefined && from !== undefined) attributes.set("image", from);
  const [verb, detail] = splitAction(status);
  const nanos = textIn(root, "timeNano");
  return {
    time: nanos === undefined ? timeAt(at, root.time) : millisOf(nanos),
    nanos,
    type: (textIn(root, "Type") ?? typeOfStatus(verb)).toLowerCase(),
    verb,
    detail,
    actorId: textIn(actor, "ID") ?? textIn(root, "id"),
    attributes,
    scope: textIn(root, "scope"),
  };
}

// Time, type, action (of several words where a command follows), id, and attributes in brackets.
// `Z07:00` is how Docker's manual writes UTC in its older examples.
const TEXT =
  /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d))(?:07:00)? (\w+) (.+)$/s;

/** Reads a line of `docker events`. */
export function fromText(line: string): EngineEvent {
  const match = TEXT.exec(line);
  const time = match === null ? undefined : readTime(match[1]!);
  if (match === null || time === undefined) throw new RejectedInput("Is no event of an engine");
  const [head, tail] = splitBrackets(match[3]!);
  const blank = head.lastIndexOf(" ");
  if (blank < 0) throw new RejectedInput("Has no id");
  const [verb, detail] = splitAction(head.slice(0, blank));
  return {
    time,
    nanos: undefined,
    type: match[2]!.toLowerCase(),
    verb,
    detail,
    // Podman names its volumes by an attribute alone.
    actorId: head.slice(blank + 1) || undefined,
    attributes: attributesOf(tail),
    scope: undefined,
  };
}

/** `exec_start: ls -l` -> its verb and the rest. */
function splitAction(text: string): [string, string | undefined] {
  const colon = text.indexOf(": ");
  return colon < 0 ? [text.trim(), undefined] : [text.slice(0, colon), text.slice(colon + 2)];
}

/** The attributes begin at the last ` (` after which every part is `name=value`. */
function splitBrackets(text: string): [string, string] {
  if (!text.endsWith(")")) return [text, ""];
  const open = text.lastIndexOf(" (");
  return open < 0 ? [text, ""] : [text.slice(0, open), text.slice(open + 2, -1)];
}

function attributesOf(text: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  let last: string | undefined;
  for (const part of text === "" ? [] : text.split(", ")) {
    const equals = part.indexOf("=");
    if (equals > 0) {
      last = part.slice(0, equals);
      if (equals + 1 < part.length) found.set(last, part.slice(equals + 1));
      // A value with a comma in it goes on.
    } else if (last !== undefined) found.set(last, `${found.get(last) ?? ""}, ${part}`);
  }
  return found;
}

function millisOf(nanos: string): number {
  if (!/^\d{1,19}$/.test(nanos)) throw new RejectedInput('Cannot read "timeNano"');
  return Number(nanos.slice(0, -6) || "0");
}
