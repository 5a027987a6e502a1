// The options of processor `filter`.

import { z } from "zod";
import { eventPattern } from "../../sdk/cloudtrail/event-pattern.ts";
import { advancedEventSelectors, eventSelectors } from "../../sdk/cloudtrail/selectors.ts";
import { pattern } from "../../sdk/mapping-pattern.ts";
import { recordPath } from "../../sdk/record-path.ts";
import { compileField } from "./field.ts";

const plain = z.union([z.string(), z.number(), z.boolean(), z.null()]);
const texts = z.union([z.string(), z.array(z.string()).min(1).max(1000)]);
const bounds = z.array(z.union([z.string(), z.number()])).min(2).max(4);

const field = z.strictObject({
  field: recordPath.describe("Path of the field, such as userIdentity.userName"),
  equals: z.union([plain, z.array(plain).min(1).max(1000)]).optional()
    .describe("Is one of these texts, numbers, true, false, null"),
  equals_ignore_case: texts.optional().describe("Is one of these, in any spelling"),
  prefix: texts.optional().describe("Begins with one of these"),
  suffix: texts.optional().describe("Ends with one of these"),
  wildcard: texts.optional().describe("Fits one of these, where * is any text"),
  matches: z.array(pattern).min(1).max(100).optional()
    .describe("Holds a match of one of these regular expressions (RE2)"),
  numeric: bounds.optional().describe('Is a number such as [">", 0, "<=", 5]'),
  cidr: texts.optional().describe("Is an address in one of these ranges"),
  exists: z.boolean().optional().describe("Is there, with whatever value; false: is not there"),
  not: z.boolean().default(false).describe("Turns the condition around"),
}).superRefine((condition, ctx) => {
  const problem = compileField(condition);
  if (typeof problem !== "string") return;
  ctx.addIssue({ code: "custom", message: problem, input: condition });
});

/** One condition on a field. */
export type FieldCondition = z.output<typeof field>;

const rule = {
  event_selectors: eventSelectors.optional().describe(
    "As aws cloudtrail get-event-selectors prints",
  ),
  advanced_event_selectors: advancedEventSelectors.optional()
    .describe("As aws cloudtrail get-event-selectors prints"),
  event_pattern: eventPattern.optional().describe("An EventBridge event pattern over the record"),
  fields: z.array(field).min(1).max(1000).optional()
    .describe("Conditions on fields, all of which must hold"),
};

function hasCondition(given: Readonly<Record<string, unknown>>): boolean {
  return Object.keys(rule).some((name) => given[name] !== undefined);
}

const NEEDED = { error: `Expected a condition: ${Object.keys(rule).join(", ")}` };

const keepRule = z.strictObject(rule).refine(hasCondition, NEEDED);

const dropRule = z.strictObject({
  ...rule,
  reason: z.string().min(1).max(80).optional()
    .describe("Under which cairn status counts what the rule drops"),
}).refine(hasCondition, NEEDED);

/** One rule. */
export type FilterRule = z.output<typeof dropRule>;

/** Its schema. */
export const config = z.strictObject({
  keep: z.array(keepRule).min(1).max(1000).optional().describe(
    "Records that no rule of these matches are dropped; without it, all are kept",
  ),
  drop: z.array(dropRule).max(1000).default([]).describe(
    "Records that a rule of these matches are dropped",
  ),
  keep_reason: z.string().min(1).max(80).optional()
    .describe("Under which cairn status counts what no rule of keep matches"),
});

/** The checked options. */
export type FilterConfig = z.output<typeof config>;
