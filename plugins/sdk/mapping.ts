// The mapping language: how an operator says, in YAML, what the members of a source's JSON objects or
// the named groups of its lines mean. The whole of it is described in mapping.md beside this file.

import { hash } from "node:crypto";
import { z } from "zod";
import { RejectedInput } from "./errors.ts";
import type { AuditEvent, EventCategory } from "./event.ts";
import type { FramePosition } from "./format.ts";
import type { Json, JsonObject } from "./json.ts";
import {
  actor,
  booleanOf,
  origin,
  outcome,
  pascalCase,
  pathsOf,
  resources,
  textAt,
} from "./mapping-event.ts";
import { isObject, type Path, remainderOf, type Scope, setMember } from "./mapping-path.ts";
import { time } from "./mapping-time.ts";
import { condition, isRecord, pass, type Value, value } from "./mapping-value.ts";

const CATEGORIES: readonly string[] = ["Management", "Data", "NetworkActivity"];

/** An object of values, or one value that is an object already. */
type Members = ReadonlyMap<string, Value> | Value;

const membersForm = z.record(z.string(), value);
const members: z.ZodType<Members, unknown> = z.codec(
  z.unknown().meta({ description: "{ name: value … }, or the path of an object" }),
  z.custom<Members>(),
  {
    decode(source, ctx) {
      const schema = isRecord(source) ? membersForm : value;
      const parsed = schema.safeParse(source);
      if (!parsed.success) {
        pass(parsed.error, ctx, source, "");
        return z.NEVER;
      }
      return isRecord(source) ? new Map(Object.entries(parsed.data)) : parsed.data as Value;
    },
    encode: (from) =>
      from instanceof Map
        ? Object.fromEntries([...from].map(([key, { source }]) => [key, source]))
        : (from as Value).source,
  },
);

const category = value.refine(
  ({ constant }) => constant === undefined || CATEGORIES.includes(String(constant)),
  { error: `Expected one of ${CATEGORIES.join(", ")}` },
);

const fields = {
  id: value.optional().describe("The source's own identity of the event; by default its place"),
  time: time.optional().describe("When it happened"),
  service: value.optional().describe("Program or subsystem, becomes eventSource"),
  action: value.optional().describe("What was done, becomes eventName, written PascalCase"),
  host: value.optional().describe("Machine it happened on, where that is not the agent's"),
  actor: actor.optional().describe("Who acted; unknown where nothing is said"),
  outcome: outcome.optional().describe("How it ended; well, where nothing is said"),
  origin: origin.optional().describe("Where it came from"),
  resources: resources.optional().describe("What was acted on"),
  request: members.optional().describe("What was asked for, becomes requestParameters"),
  response: members.optional().describe("What came of it, becomes responseElements"),
  additional: members.optional().describe("Other facts, become additionalEventData"),
  read_only: value.optional().describe("True where the action cannot change anything"),
  category: category.optional().describe("Management (default), Data or NetworkActivity"),
};

const caseSchema = z.strictObject({ when: condition, ...fields });
const ignoreSchema = z.strictObject({
  when: condition,
  reason: z.string().min(1).max(80).describe("A few words under which the frames are counted"),
});

/** The members of a mapping's schema; a format adds its own to them and checks with `complete`. */
export const mappingFields = {
  ...fields,
  when: condition.optional().describe("Frames for which this does not hold are left out"),
  ignore: z.array(ignoreSchema).max(64).default([])
    .describe("Frames for which the `when` of one of these holds are left out for its reason"),
  unmapped: z.enum(["keep", "drop"]).default("keep")
    .describe("Whether members that nothing copies go to additional"),
  cases: z.array(caseSchema).max(256).default([])
    .describe("The first case whose `when` holds lays its members over those above"),
};

const REQUIRED = ["time", "service", "action"] as const;

type Fields = { [K in keyof typeof fields]?: z.output<(typeof fields)[K]> };

/** A checked mapping. */
export interface Mapping extends Fields {
  readonly when?: z.output<typeof condition> | undefined;
  readonly ignore: readonly z.output<typeof ignoreSchema>[];
  readonly unmapped: "keep" | "drop";
  readonly cases: readonly z.output<typeof caseSchema>[];
}

/** Says what a mapping lacks: each event needs a time, a service and an action. */
export function complete(
  mapping: Mapping,
  ctx: { readonly issues: z.core.$ZodRawIssue[] },
): void {
  for (const name of REQUIRED) {
    const cases = mapping.cases;
    if (mapping[name] !== undefined) continue;
    if (cases.length > 0 && cases.every((one) => one[name] !== undefined)) continue;
    const message = "Required: an event has a time, a service and an action";
    ctx.issues.push({ code: "custom", input: undefined, path: [name], message });
  }
}

/** Option: a whole mapping. */
export const mapping = z.strictObject(mappingFields).check((ctx) => complete(ctx.value, ctx));

/** One frame, as a mapping sees it. */
export interface MappedFrame {
  readonly root: JsonObject;
  /** The frame's bytes: the event's id holds their hash. */
  readonly bytes: Uint8Array;
  readonly at: FramePosition;
  /** Put into `additional` as it is. */
  readonly extra?: Readonly<Record<string, Json>> | undefined;
}

/** Makes the event of a frame; undefined where the mapping leaves it out. */
export type Mapper = (frame: MappedFrame) => AuditEvent | undefined;

/** Why a frame is left out for which the mapping's own `when` does not hold. */
export const NOT_MEANT = "when of the mapping does not hold";

/**
 * Compiles a mapping. The mapper calls `ignored` with the reason for each frame it leaves out, and
 * throws RejectedInput for one that lacks what is required.
 */
export function createMapper(mapping: Mapping, ignored: (reason: string) => void): Mapper {
  const { when, ignore, cases, unmapped, ...base } = mapping;
  const otherwise = eventMaker(base, unmapped);
  const makers = cases.map(({ when, ...own }) => ({
    when,
    make: eventMaker({ ...base, ...present(own) }, unmapped),
  }));
  const scope: Scope = { root: {}, match: {} };
  return (frame) => {
    scope.root = frame.root;
    scope.match = {};
    if (when !== undefined && !when.test(scope)) {
      ignored(NOT_MEANT);
      return undefined;
    }
    for (const one of ignore) {
      if (!one.when.test(scope)) continue;
      ignored(one.reason);
      return undefined;
    }
    for (const one of makers) {
      if (one.when.test(scope)) return one.make(scope, frame);
    }
    return otherwise(scope, frame);
  };
}

function present(own: Fields): Fields {
  return Object.fromEntries(Object.entries(own).filter(([, field]) => field !== undefined));
}

function eventMaker(
  from: Fields,
  unmapped: "keep" | "drop",
): (scope: Scope, frame: MappedFrame) => AuditEvent {
  const remainder = unmapped === "drop" ? () => undefined : remainderOf(...copiedBy(from));
  return (scope, frame) => {
    const action = textAt(from.action, scope);
    const name = action === undefined ? "" : pascalCase(action);
    if (name === "") throw new RejectedInput("Has no action");
    const service = textAt(from.service, scope);
    if (service === undefined) throw new RejectedInput("Has no service");
    if (from.time === undefined) throw new RejectedInput("Has no time");
    const origin = from.origin?.read(scope);
    const resources = from.resources?.read(scope);
    const request = membersAt(from.request, scope);
    const response = membersAt(from.response, scope);
    const additional = additionalOf(from, scope, remainder(frame.root), frame.extra);
    const host = textAt(from.host, scope);
    return {
      id: textAt(from.id, scope) ?? placeId(frame),
      time: from.time.read(scope, frame.at),
      service: service.toLowerCase(),
      action: name,
      actor: from.actor?.read(scope) ?? { type: "user" },
      outcome: from.outcome?.read(scope) ?? { success: true },
      ...(host === undefined ? undefined : { host }),
      ...(origin === undefined ? undefined : { origin }),
      ...(resources === undefined ? undefined : { resources }),
      ...(request === undefined ? undefined : { request }),
      ...(response === undefined ? undefined : { response }),
      ...(additional === undefined ? undefined : { additional }),
      readOnly: booleanOf(from.read_only?.read(scope)) ?? false,
      category: categoryAt(from.category, scope),
    };
  };
}

/** Paths whose scalars, and paths whose whole values, the event holds unchanged. */
function copiedBy(from: Fields): [readonly Path[], readonly Path[]] {
  const scalars = [
    ...pathsOf([from.id, from.host]),
    ...from.actor?.copied ?? [],
    ...from.origin?.copied ?? [],
    ...from.resources?.copied ?? [],
  ];
  const whole = [from.request, from.response, from.additional].flatMap((members) =>
    pathsOf(members instanceof Map ? [...members.values()] : [members as Value | undefined])
  );
  return [scalars, whole];
}

function membersAt(from: Members | undefined, scope: Scope): JsonObject | undefined {
  if (from === undefined) return undefined;
  if (!(from instanceof Map)) {
    const found = (from as Value).read(scope);
    return found === undefined || isObject(found) ? found : { value: found };
  }
  let all: Record<string, Json> | undefined;
  for (const [key, { read }] of from) {
    const found = read(scope);
    if (found !== undefined) setMember(all ??= {}, key, found);
  }
  return all;
}

function additionalOf(
  from: Fields,
  scope: Scope,
  rest: Record<string, Json> | undefined,
  extra: Readonly<Record<string, Json>> | undefined,
): JsonObject | undefined {
  const named = membersAt(from.additional, scope);
  if (named === undefined && extra === undefined) return rest;
  const all = rest ?? {};
  for (const members of [named, extra]) {
    if (members === undefined) continue;
    for (const key of Object.keys(members)) setMember(all, key, members[key] ?? null);
  }
  return all;
}

function categoryAt(from: Value | undefined, scope: Scope): EventCategory {
  const found = textAt(from, scope) ?? "Management";
  if (CATEGORIES.includes(found)) return found as EventCategory;
  throw new RejectedInput(`Unknown category "${found.slice(0, 64)}"`);
}

/** The same bytes at the same place always have the same id. */
function placeId({ bytes, at }: MappedFrame): string {
  return `${at.source}:${at.offset}:${hash("sha256", bytes, "hex").slice(0, 16)}`;
}
