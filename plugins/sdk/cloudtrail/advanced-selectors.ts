// Advanced event selectors: one selector that matches is enough (OR); in a selector every
// field must match (AND); in a field the positive operators' values are alternatives, and one hit
// of a negative operator refuses. Plain comparisons of text, case-sensitive, no wildcards.

import { z } from "zod";
import { eventCategory, isReadOnly, type Selectable, type Selector } from "./event-category.ts";
import type { CloudTrailRecord } from "./record.ts";

/** Over all selectors of a trail or store; it bounds the number of selectors, too. */
const VALUES_MAX = 500;

const POSITIVE = ["Equals", "StartsWith", "EndsWith"] as const;
const NEGATIVE = ["NotEquals", "NotStartsWith", "NotEndsWith"] as const;
const OPERATORS = [...POSITIVE, ...NEGATIVE] as const;

type Operator = typeof OPERATORS[number];

const values = z.array(z.string().min(1).max(2048)).min(1).optional();

const fieldSelector = z.strictObject({
  Field: z.string().min(1).max(1000).regex(/^[\w.]+$/).describe("Field of the record"),
  Equals: values.describe("Is one of these"),
  StartsWith: values.describe("Begins with one of these"),
  EndsWith: values.describe("Ends with one of these"),
  NotEquals: values.describe("Is none of these"),
  NotStartsWith: values.describe("Begins with none of these"),
  NotEndsWith: values.describe("Ends with none of these"),
});

type FieldSelector = z.output<typeof fieldSelector>;

/** What may be said of a field: which operators, and which values where only some make sense. */
interface FieldRule {
  readonly operators: readonly Operator[];
  readonly values?: readonly string[];
  readonly required?: boolean;
}

const ANY: FieldRule = { operators: OPERATORS };
const FLAG: FieldRule = { operators: ["Equals"], values: ["true", "false"] };
const CONSOLE: FieldRule = { operators: ["Equals", "NotEquals"], values: ["true"] };
const CATEGORY: FieldRule = { operators: ["Equals"], required: true };
const ONE: FieldRule = { operators: ["Equals"], required: true };

// The widest of what AWS allows trails and event data stores; both are exporters here.
const COMMON = {
  eventCategory: CATEGORY,
  eventName: ANY,
  "userIdentity.arn": ANY,
} as const;
const ONLY_CATEGORY = { eventCategory: CATEGORY } as const;
const FIELDS: Readonly<Record<string, Readonly<Record<string, FieldRule>>>> = {
  Management: {
    ...COMMON,
    readOnly: FLAG,
    eventSource: ANY,
    eventType: ANY,
    sessionCredentialFromConsole: CONSOLE,
  },
  Data: {
    ...COMMON,
    "resources.type": ONE,
    "resources.ARN": ANY,
    readOnly: FLAG,
    eventSource: ANY,
    eventType: ANY,
    sessionCredentialFromConsole: CONSOLE,
  },
  NetworkActivity: {
    ...COMMON,
    eventSource: ONE,
    vpcEndpointId: ANY,
    errorCode: { operators: ["Equals"], values: ["VpceAccessDenied"] },
  },
  Insight: ONLY_CATEGORY,
  Aggregated: ONLY_CATEGORY,
  ConfigurationItem: ONLY_CATEGORY,
  Evidence: ONLY_CATEGORY,
  ActivityAuditLog: ONLY_CATEGORY,
};

const advancedEventSelector = z.strictObject({
  Name: z.string().max(1000).optional().describe("What the selector is for"),
  FieldSelectors: z.array(fieldSelector).min(1).describe("Conditions, all of which must hold"),
}).superRefine(({ FieldSelectors }, ctx) => {
  for (const { path, message } of problems(FieldSelectors)) {
    ctx.addIssue({ code: "custom", path: ["FieldSelectors", ...path], message, input: path });
  }
});

/** The schema of `AdvancedEventSelectors`, with AWS's member names, field rules and limits. */
export const advancedEventSelectors = z.array(advancedEventSelector).min(1)
  .superRefine((selectors, ctx) => {
    const fields = selectors.flatMap((selector) => selector.FieldSelectors);
    const count = fields.reduce(
      (sum, field) => sum + OPERATORS.flatMap((o) => field[o] ?? []).length,
      0,
    );
    if (count <= VALUES_MAX) return;
    const message = `Expected at most ${VALUES_MAX} values over all selectors, found ${count}`;
    ctx.addIssue({ code: "custom", message, input: selectors });
  });

/** One advanced event selector. */
export type AdvancedEventSelector = z.output<typeof advancedEventSelector>;

interface Problem {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

function problems(fields: readonly FieldSelector[]): Problem[] {
  const category = fields.find((field) => field.Field === "eventCategory")?.Equals;
  if (category === undefined) {
    return [{ path: [], message: "Expected a field selector on eventCategory with Equals" }];
  }
  const rules = Object.hasOwn(FIELDS, category[0]!) ? FIELDS[category[0]!]! : undefined;
  if (rules === undefined || category.length > 1) {
    const message = `Expected one eventCategory of ${Object.keys(FIELDS).join(", ")}`;
    return [{ path: [], message }];
  }
  const found = fields.flatMap((field, i) => fieldProblems(field, i, category[0]!, rules));
  for (const [name, rule] of Object.entries(rules)) {
    const count = fields.filter((field) => field.Field === name).length;
    if (!rule.required || count === 1) continue;
    const message = `Expected exactly one field selector on ${name} for category ${category[0]}`;
    found.push({ path: [], message });
  }
  return found;
}

function fieldProblems(
  field: FieldSelector,
  i: number,
  category: string,
  rules: Readonly<Record<string, FieldRule>>,
): Problem[] {
  const rule = Object.hasOwn(rules, field.Field) ? rules[field.Field] : undefined;
  if (rule === undefined) {
    const names = Object.keys(rules).join(", ");
    return [{ path: [i, "Field"], message: `Expected for category ${category} one of ${names}` }];
  }
  const used = OPERATORS.filter((operator) => field[operator] !== undefined);
  if (used.length === 0) {
    return [{ path: [i], message: `Expected an operator: ${rule.operators.join(", ")}` }];
  }
  const found: Problem[] = [];
  for (const operator of used) {
    const list = field[operator]!;
    if (!rule.operators.includes(operator)) {
      const message = `Field ${field.Field} takes only ${rule.operators.join(", ")}`;
      found.push({ path: [i, operator], message });
    } else if (rule.values && !list.every((value) => rule.values!.includes(value))) {
      found.push({ path: [i, operator], message: `Expected ${quoted(rule.values)}` });
    } else if (rule.required && list.length !== 1) {
      found.push({ path: [i, operator], message: "Expected exactly one value" });
    }
  }
  return found;
}

function quoted(list: readonly string[]): string {
  return list.map((value) => `"${value}"`).join(" or ");
}

/**
 * Compiles advanced selectors. A category that no selector names is not wanted, Insight included.
 * The record itself is parsed only where a field beside the category is asked for.
 */
export function compileAdvancedEventSelectors(
  selectors: readonly AdvancedEventSelector[],
): Selector {
  const byCategory = new Map<string, FieldSelector[][]>();
  for (const { FieldSelectors } of selectors) {
    const category = FieldSelectors.find((field) => field.Field === "eventCategory")!.Equals![0]!;
    const others = FieldSelectors.filter((field) => field.Field !== "eventCategory");
    byCategory.set(category, [...byCategory.get(category) ?? [], others]);
  }
  return (stored: Selectable) => {
    const alternatives = byCategory.get(eventCategory(stored));
    if (alternatives === undefined) return false;
    return alternatives.some((fields) => fields.length === 0 || matches(fields, stored.record));
  };
}

function matches(fields: readonly FieldSelector[], record: CloudTrailRecord): boolean {
  const type = fields.find((field) => field.Field === "resources.type")?.Equals?.[0];
  return fields.every((field) => matchesField(field, fieldValues(record, field.Field, type)));
}

/** A field's values: none where the record lacks it, several only for resources. */
function fieldValues(record: CloudTrailRecord, field: string, type?: string): unknown[] {
  switch (field) {
    case "readOnly":
      return [String(isReadOnly(record))];
    case "userIdentity.arn":
      return [record.userIdentity?.arn];
    case "resources.type":
      return (record.resources ?? []).map((resource) => resource.type);
    case "resources.ARN":
      // Of an event's resources those of the selected type count: an object, not also its bucket.
      return (record.resources ?? []).filter((resource) => resource.type === type)
        .map((resource) => resource.ARN ?? resource.ARNPrefix);
    case "sessionCredentialFromConsole":
      return [String(record.sessionCredentialFromConsole)];
    default:
      return [record[field]];
  }
}

function matchesField(field: FieldSelector, found: readonly unknown[]): boolean {
  const texts = found.filter((value) => typeof value === "string");
  if (NEGATIVE.some((operator) => hits(operator, field[operator], texts))) return false;
  const positive = POSITIVE.filter((operator) => field[operator] !== undefined);
  return positive.length === 0 ||
    positive.some((operator) => hits(operator, field[operator], texts));
}

function hits(
  operator: Operator,
  list: readonly string[] | undefined,
  texts: readonly string[],
): boolean {
  if (list === undefined) return false;
  return texts.some((text) => list.some((value) => compare(operator, text, value)));
}

function compare(operator: Operator, text: string, value: string): boolean {
  switch (operator) {
    case "Equals":
    case "NotEquals":
      return text === value;
    case "StartsWith":
    case "NotStartsWith":
      return text.startsWith(value);
    case "EndsWith":
    case "NotEndsWith":
      return text.endsWith(value);
  }
}
