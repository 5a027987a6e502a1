// Resource policies of channels: who may send events, in IAM's language as far as CloudTrail takes it.

import { z } from "zod";
import { type AwsCaller, AwsFault } from "../aws/fault.ts";

const ACTION = "cloudtrail-data:PutAuditEvents";
const EXTERNAL_ID = "cloudtrail:ExternalId";
const POLICY_LENGTH_MAX = 8192;
const STATEMENTS_MAX = 20;
const PRINCIPALS_MAX = 50;

const texts = z.union([z.string().min(1), z.array(z.string().min(1))]);

const statement = z.strictObject({
  Sid: z.string().max(256).optional().describe("What the statement is for"),
  Effect: z.enum(["Allow", "Deny"]).describe("Whether it allows or forbids"),
  Principal: z.union([
    z.literal("*"),
    z.strictObject({ AWS: texts.describe("Account ids and ARNs") }),
  ]).describe(
    "Who: *, or under AWS account ids and ARNs",
  ),
  Action: z.literal(ACTION, `Expected ${ACTION}`).describe("What: the one thing a channel does"),
  Resource: z.string().min(1).optional().describe("The channel's ARN; filled in if unset"),
  Condition: z.strictObject({
    StringEquals: z.strictObject({
      [EXTERNAL_ID]: texts.describe("What the sender has to name as externalId"),
    }).describe("Values, of which one has to be the same"),
  }).optional().describe("Under which condition"),
}).refine(
  ({ Principal }) => Principal === "*" || listed(Principal.AWS).length <= PRINCIPALS_MAX,
  `Expected at most ${PRINCIPALS_MAX} principals`,
);

/** The option's schema: a policy as AWS spells it. */
export const resourcePolicy = z.strictObject({
  Version: z.enum(["2012-10-17", "2008-10-17"]).default("2012-10-17").describe(
    "Version of the language",
  ),
  Id: z.string().max(256).optional().describe("Name of the policy"),
  Statement: z.array(statement).min(1).max(STATEMENTS_MAX)
    .meta({
      description: "Who may send, and how",
      examples: [[{ Effect: "Allow", Principal: { AWS: "444455556666" }, Action: ACTION }]],
    }),
}).refine(
  (policy) => JSON.stringify(policy).length <= POLICY_LENGTH_MAX,
  `Expected at most ${POLICY_LENGTH_MAX} characters`,
);

/** A checked policy. */
export type ResourcePolicy = z.output<typeof resourcePolicy>;

/** The policy's text, as GetResourcePolicy answers it; `arn` is the channel's. */
export function policyText(policy: ResourcePolicy, arn: string): string {
  const Statement = policy.Statement.map(({ Resource = arn, ...rest }) => ({ ...rest, Resource }));
  return JSON.stringify({ ...policy, Statement });
}

/** The first statement's resource that is not the channel; undefined where all of them are. */
export function foreignResource(policy: ResourcePolicy, arn: string): string | undefined {
  return policy.Statement.find(({ Resource = arn }) => Resource !== arn)?.Resource;
}

/**
 * Throws AwsFault where the caller may not send events to a channel of the account. The account
 * itself may without a policy; a statement that denies holds for everybody.
 */
export function authorizeSender(
  policy: ResourcePolicy | undefined,
  caller: AwsCaller,
  owner: string,
  externalId: string | undefined,
): void {
  const effects = (policy?.Statement ?? [])
    .filter((rule) => isMeant(rule, caller) && holds(rule, externalId))
    .map(({ Effect }) => Effect);
  const isAllowed = effects.includes("Allow") || caller.accountId === owner;
  if (isAllowed && !effects.includes("Deny")) return;
  throw new AwsFault(
    "ChannelInsufficientPermission",
    `${caller.arn} is not authorized to perform ${ACTION} on this channel`,
  );
}

type Statement = ResourcePolicy["Statement"][number];

function isMeant({ Principal }: Statement, { accountId, arn }: AwsCaller): boolean {
  if (Principal === "*") return true;
  return listed(Principal.AWS).some((name) =>
    name === "*" || name === accountId || name === arn ||
    /^arn:[^:]+:iam::(\d{12}):root$/.exec(name)?.[1] === accountId
  );
}

function holds({ Condition }: Statement, externalId: string | undefined): boolean {
  if (Condition === undefined) return true;
  return externalId !== undefined &&
    listed(Condition.StringEquals[EXTERNAL_ID]).includes(externalId);
}

/** AWS lets a list of one stand as the one. */
function listed(value: string | readonly string[]): readonly string[] {
  return typeof value === "string" ? [value] : value;
}
