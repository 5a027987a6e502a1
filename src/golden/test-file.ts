// The schema of a file of golden tests, and reading one: every problem with its place, as for a
// configuration. What it says is made runnable by prepare.ts.

import { z } from "zod";
import { pattern } from "../../plugins/sdk/mapping-pattern.ts";
import { check } from "../config/check.ts";
import type { ConfigNode } from "../config/node.ts";
import type { Problem } from "../config/problem.ts";
import { readText } from "../config/read-text.ts";
import { parseYaml } from "../config/yaml.ts";

const text = z.string().min(1);
const texts = z.union([text, z.array(text).min(1)]);
const count = z.int().min(0);

const MOMENT = /^\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:?\d\d))?$/;

/** A moment, in milliseconds since the epoch. */
const moment = z.codec(z.string(), z.number(), {
  decode(value, ctx) {
    const time = MOMENT.test(value) ? Date.parse(value) : Number.NaN;
    if (!Number.isNaN(time)) return time;
    const message = "Expected a time such as 2026-01-31T12:00:00Z";
    ctx.issues.push({ code: "custom", input: value, message });
    return z.NEVER;
  },
  encode: (time) => new Date(time).toISOString(),
});

const INPUTS = ["lines", "body", "file", "hex", "base64"] as const;

const input = z.strictObject({
  lines: z.string().optional().describe("Text whose lines are read one by one"),
  body: z.union([z.string(), z.array(z.string()).min(1)]).optional()
    .describe("Text that is read in one piece; a list: several, one after the other"),
  file: texts.optional().describe("Files, or patterns of files, relative to this file"),
  hex: texts.optional().describe("Bytes that are read in one piece; spaces are left out"),
  base64: texts.optional().describe("Bytes that are read in one piece"),
  framing: z.enum(["lines", "body"]).default("lines")
    .describe("How files are read: line by line, or each in one piece"),
  source: text.optional().describe("Name of the stream, which ids of events may derive from"),
}).refine((given) => INPUTS.filter((name) => given[name] !== undefined).length === 1, {
  error: `Expected one of ${INPUTS.join(", ")}`,
});

const reason = z.union([text, z.strictObject({ matches: pattern })]);
const reasonList = z.array(reason);
const reasons = z.codec(z.union([reason, reasonList]), z.custom<z.output<typeof reasonList>>(), {
  decode: (given) => Array.isArray(given) ? given : [given],
  encode: (list) => list,
});

/** A reason as it is expected: its text, or what it matches. */
export type ExpectedReason = z.output<typeof reason>;

const counts = z.strictObject({
  received: count.optional().describe("What came in, processors' additions too"),
  stored: count.optional().describe("What would be in the queue"),
  filtered: count.optional().describe("What processors took out"),
  duplicate: count.optional().describe("Repeats"),
  rejected: count.optional().describe("What would be among the dead letters"),
  ignored: count.optional().describe("What was read and left out on purpose"),
});

/** The names of counts. */
export type CountName = keyof z.output<typeof counts>;

const expect = z.strictObject({
  records: z.union([z.literal("none"), z.array(z.record(z.string(), z.unknown())).max(1000)])
    .optional().describe("The records that would be stored; none: no record at all"),
  exact: z.boolean().default(false).describe("Records have no member that is not given here"),
  order: z.enum(["given", "any"]).default("given").describe("Whether the order counts"),
  ignored: reasons.optional().describe("Reasons for which input was left out, all of them"),
  rejected: reasons.default([]).describe("Reasons for which input was set aside, one for each"),
  counts: counts.default({}).describe("How many of each"),
}).check((ctx) => {
  const { records, ignored, rejected, counts: { filtered, duplicate } } = ctx.value;
  const isNone = records === "none" || records?.length === 0;
  if (!isNone || ignored !== undefined || rejected.length > 0 || filtered || duplicate) return;
  const message = "Say why there is no record: ignored, rejected, counts.filtered or " +
    "counts.duplicate";
  ctx.issues.push({ code: "custom", input: records, path: ["records"], message });
});

/** What a case expects. */
export type Expect = z.output<typeof expect>;

const testCase = z.strictObject({
  name: text.describe("What the case shows, as a sentence"),
  receiver: text.optional().describe("Id of the receiver that reads the input; if there are more"),
  format: text.optional().describe("Name of a format, in place of a receiver"),
  options: z.record(z.string(), z.unknown()).optional().describe("Options of that format"),
  pipeline: text.optional().describe("Whose processors follow; if there are more"),
  now: moment.optional().describe("When the input is read"),
  input,
  expect: expect.prefault({}).describe("What comes of it; cairn test --update writes it"),
}).refine(({ receiver, format }) => receiver === undefined || format === undefined, {
  error: "receiver and format exclude each other",
}).refine(({ format, options }) => options === undefined || format !== undefined, {
  error: "options are those of a format: name one",
  path: ["options"],
});

/** One case. */
export type TestCase = z.output<typeof testCase>;

const testFile = z.strictObject({
  config: texts.optional().describe("Configuration to test, relative to this file"),
  set: z.array(text).default([]).describe(
    "Options over the configuration's, as path.to.option=value",
  ),
  env: z.record(z.string(), z.string()).default({}).describe("Environment variables it sees"),
  // Fixed, so that a test of today is the test of tomorrow.
  now: moment.prefault("2026-01-01T00:00:00Z").describe("When the input is read"),
  cases: z.array(testCase).min(1, "Expected at least one case"),
});

/** A file that was read. */
export interface TestFile extends z.output<typeof testFile> {
  /** As it was named on the command line. */
  readonly name: string;
  /** Its tree, for the places of problems found later. */
  readonly node: ConfigNode;
}

/** Reads a file; `rank` orders its problems among those of other files. */
export function readTestFile(
  name: string,
  rank: number,
): { readonly file?: TestFile; readonly problems: readonly Problem[] } {
  let source: string;
  try {
    source = readText(name);
  } catch (error) {
    const problem = `Cannot read test file: ${(error as Error).message}`;
    return { problems: [{ at: { source: name, rank }, path: "", problem }] };
  }
  const { node, problems } = parseYaml(source, { name, rank }, undefined);
  if (node === undefined || problems.length > 0) return { problems };
  if (node.kind !== "map") {
    return { problems: [{ at: node.at, path: "", problem: "Expected a map with cases" }] };
  }
  const checked = check(testFile, { node, path: [] });
  if (!checked.ok) return { problems: checked.problems };
  return { file: { ...checked.value, name, node }, problems: [] };
}
