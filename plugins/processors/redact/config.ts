// The options of processor `redact`.

import { z } from "zod";
import { pattern } from "../../sdk/mapping-pattern.ts";
import { recordPath } from "../../sdk/record-path.ts";
import { secret } from "../../sdk/secret.ts";
import { STRUCTURE } from "./structure.ts";

// Shorter keys can be found by trying.
const KEY_LENGTH_MIN = 16;

const ACTION = "hide: HIDDEN_DUE_TO_SECURITY_REASONS stands there, as CloudTrail itself writes; " +
  "remove: nothing does; hash: a keyed hash, the same for the same value";

const action = z.enum(["hide", "remove", "hash"]);

const field = recordPath.refine(
  ({ keys }) => typeof keys[0] !== "string" || !STRUCTURE.has(keys[0]),
  {
    error: `Is what makes the record one, and never redacted: ${[...STRUCTURE].join(", ")}`,
  },
);

const rule = z.strictObject({
  fields: z.array(field).min(1).max(1000).optional()
    .describe("Paths; without patterns their whole values are redacted"),
  patterns: z.array(pattern).min(1).max(100).optional().describe(
    "Regular expressions (RE2); what they match is redacted, or of it the group (?<secret>…); " +
      "in these fields or, without fields, in every text",
  ),
  action: action.optional().describe(`${ACTION}; the processor's own when not set`),
}).refine(({ fields, patterns }) => fields !== undefined || patterns !== undefined, {
  error: "Expected fields, patterns or both",
});

/** One rule. */
export type RedactRule = z.output<typeof rule>;

/** What becomes of a secret. */
export type RedactAction = z.output<typeof action>;

/** Its schema. */
export const config = z.strictObject({
  known_secrets: z.boolean().default(true).describe(
    "Redacts what is a secret by its shape (keys, tokens, passwords in URLs …) or its member's name",
  ),
  action: action.default("hide").describe(ACTION),
  rules: z.array(rule).max(1000).default([]).describe("What else is redacted"),
  except_names: z.array(z.string().min(1)).max(1000).default([]).describe(
    "Members of these names hold no secret, though known_secrets would say so",
  ),
  hash_key: secret.optional().describe(
    'The key of action hash, 16 characters or more, such as "${env:REDACT_KEY}"',
  ),
}).superRefine((options, ctx) => {
  const wanted = options.action === "hash" || options.rules.some((one) => one.action === "hash");
  const { hash_key: key } = options;
  const problem = key === undefined
    ? wanted && "Missing: action hash needs a key"
    : key.reveal().length < KEY_LENGTH_MIN && `Expected ${KEY_LENGTH_MIN} characters or more`;
  if (!problem) return;
  ctx.addIssue({ code: "custom", path: ["hash_key"], message: problem, input: undefined });
});

/** The checked options. */
export type RedactConfig = z.output<typeof config>;
