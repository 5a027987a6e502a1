// The options of processor `enrich`.

import { z } from "zod";
import { duration } from "../../sdk/index.ts";
import { parseRecordPath, recordPath } from "../../sdk/record-path.ts";

const folder = z.string().min(1);
const name = z.string().regex(/^[A-Za-z][A-Za-z0-9_]{0,63}$/, {
  error: "Expected a name: a letter, then letters, digits and _",
});

/** Members of the environment; a table cannot be called so. */
export const PARTS = ["host", "cloud", "container", "ecs", "kubernetes"] as const;

const kubernetes = z.strictObject({
  directory: folder.default("/etc/podinfo").describe(
    "Where a downward API volume is mounted, with files such as name, namespace, uid, node, labels",
  ),
  service_account_directory: folder.default("/var/run/secrets/kubernetes.io/serviceaccount")
    .describe("Where the file namespace of the service account is"),
  pod: z.string().default("").describe('The pod, such as "${env:POD_NAME:-}"'),
  namespace: z.string().default("").describe('Its namespace, such as "${env:POD_NAMESPACE:-}"'),
  uid: z.string().default("").describe('Its uid, such as "${env:POD_UID:-}"'),
  node: z.string().default("").describe('Its node, such as "${env:NODE_NAME:-}"'),
  container: z.string().default("").describe("The container's name in the pod"),
});

const url = z.url({ protocol: /^https?$/, error: "Expected http://…" });

const table = z.strictObject({
  path: z.string().regex(/\.(csv|mmdb)$/i, { error: "Expected a file NAME.csv or NAME.mmdb" })
    .describe("The table: NAME.csv with a first line of column names, or NAME.mmdb"),
  as: name.refine((given) => !PARTS.some((part) => part === given), {
    error: `Is a part of the environment: ${PARTS.join(", ")}`,
  }).describe("The member that the values stand under"),
  field: recordPath.describe("The record's field that is looked up, such as sourceIPAddress"),
  key: z.string().min(1).optional().describe(
    "CSV: the column that holds what is looked up; the first when not set",
  ),
  values: z.record(name, z.string().min(1)).describe(
    "What is taken over: name in the record, and column of the CSV or path in the MMDB",
  ),
}).superRefine(({ path, key, values }, ctx) => {
  if (/\.csv$/i.test(path)) return;
  if (key !== undefined) {
    const message = "Is an option of CSV tables: an MMDB is looked up by address";
    ctx.addIssue({ code: "custom", path: ["key"], message, input: key });
  }
  for (const [at, value] of Object.entries(values)) {
    const parsed = parseRecordPath(value);
    if (typeof parsed !== "string") continue;
    ctx.addIssue({ code: "custom", path: ["values", at], message: parsed, input: value });
  }
});

/** One table. */
export type TableConfig = z.output<typeof table>;

/** Its schema. */
export const config = z.strictObject({
  member: name.default("environment").describe(
    "The member of additionalEventData that everything stands under",
  ),
  every_record: z.boolean().default(false).describe(
    "The environment is added to every record, not only to those of this host; tables always are",
  ),
  host: z.boolean().default(true).describe("Operating system and hardware of this host"),
  container: z.boolean().default(true).describe("The id of the container the agent runs in"),
  kubernetes: kubernetes.prefault({}).describe("The pod the agent runs in"),
  ec2: z.strictObject({
    when: z.enum(["auto", "always", "never"]).default("auto").describe(
      "auto: where the hardware says that it is Amazon's",
    ),
    endpoint: url.default("http://169.254.169.254").describe(
      "The instance metadata service; http://[fd00:ec2::254] over IPv6",
    ),
    tags: z.array(z.string().min(1)).max(50).default([]).describe(
      "Tags of the instance that are taken over; they must be allowed in instance metadata",
    ),
  }).prefault({}).describe("The EC2 instance, from its metadata service (IMDSv2)"),
  ecs: z.strictObject({
    endpoint: z.union([z.literal(""), url]).default("").describe(
      'The task metadata endpoint, version 4: "${env:ECS_CONTAINER_METADATA_URI_V4:-}"',
    ),
  }).prefault({}).describe("The ECS task"),
  tables: z.array(table).max(100).default([]).describe("Tables that fields are looked up in"),
  root: folder.default("/").describe(
    "Where the host's /proc, /sys and /etc are, such as /host where they are mounted there",
  ),
  timeout: duration.prefault("2s").describe(
    "Longest time a metadata service is waited for; the first records wait as long",
  ),
  refresh: duration.prefault("5m").describe("How often the environment is looked at again"),
  reload: duration.prefault("10s").describe("How often files of tables are looked at for changes"),
}).superRefine(({ tables }, ctx) => {
  const names = tables.map(({ as }) => as);
  names.forEach((as, i) => {
    if (names.indexOf(as) === i) return;
    const message = "Another table has this name";
    ctx.addIssue({ code: "custom", path: ["tables", i, "as"], message, input: as });
  });
});

/** The checked options. */
export type EnrichConfig = z.output<typeof config>;
