// The options of everything that speaks to AWS: where it is and who asks. Spread them into a
// plugin's schema, check what goes together, and make the connection out of them.

import { z } from "zod";
import { secret } from "../secret.ts";
import type { ComponentContext } from "../component.ts";
import { CredentialSource } from "./credentials.ts";
import type { AwsConnection } from "./request.ts";

/** The options, to be spread into a schema. */
export const awsOptions = {
  region: z.string().min(1).optional()
    .describe("AWS region; the agent's own by default"),
  access_key_id: z.string().min(1).optional()
    .describe("Access key; without one AWS's own chain is asked (environment, profile, role)"),
  secret_access_key: secret.optional()
    .describe("The access key's secret"),
  session_token: secret.optional()
    .describe("Session token of temporary keys"),
  profile: z.string().min(1).optional()
    .describe("Profile in the AWS configuration files whose credentials are used"),
  role_arn: z.string().regex(/^arn:[^:]+:iam::\d{12}:role\/.+$/, "Expected the ARN of a role")
    .optional().describe("Role that is assumed with these credentials"),
  external_id: z.string().min(1).optional()
    .describe("External id that the role's trust policy asks for"),
};

/** Scheme, host and port of a store or service that is not AWS's own, as an option. */
export const awsEndpointOption = z.url({ protocol: /^https?$/ });

/** What the operator wrote. */
export type AwsOptions = z.output<z.ZodObject<typeof awsOptions>>;

/** Reports options that do not go together; for a schema's superRefine. */
export function checkAwsOptions(options: AwsOptions, ctx: z.RefinementCtx): void {
  const problem = (path: keyof AwsOptions, message: string) =>
    ctx.addIssue({ code: "custom", path: [path], message, input: options[path] });
  const { access_key_id: id, secret_access_key: key } = options;
  if (id !== undefined && key === undefined) {
    problem("access_key_id", "Needs secret_access_key beside it");
  }
  if (key !== undefined && id === undefined) {
    problem("secret_access_key", "Needs access_key_id beside it");
  }
  if (options.session_token !== undefined && id === undefined) {
    problem("session_token", "Needs access_key_id and secret_access_key beside it");
  }
  if (options.profile !== undefined && id !== undefined) {
    problem("profile", "Cannot stand beside access_key_id: one of them says who asks");
  }
  if (options.external_id !== undefined && options.role_arn === undefined) {
    problem("external_id", "Needs role_arn beside it");
  }
}

/** Makes a connection out of the options; nothing is loaded or asked before a request. */
export function awsConnection(options: AwsOptions, context: ConnectionContext): AwsConnection {
  const { agent, clock } = context;
  const { region = agent.region } = options;
  // What STS takes as a session's name.
  const host = agent.host.replace(/[^\w+=,.@-]/g, "-").slice(0, 58);
  const credentials = new CredentialSource({
    region,
    sessionName: `cairn-${host}`,
    version: agent.version,
    clock,
    accessKeyId: options.access_key_id,
    secretAccessKey: options.secret_access_key,
    sessionToken: options.session_token,
    profile: options.profile,
    roleArn: options.role_arn,
    externalId: options.external_id,
  });
  return { region, credentials, version: agent.version, clock };
}

/** What a connection takes from the component's context. */
export type ConnectionContext = Pick<ComponentContext, "agent" | "clock">;
