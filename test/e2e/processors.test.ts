// Filter, redact and enrich together in a running agent: the trail holds what they made of the
// records, what was filtered is counted, and no secret that was put in is anywhere it wrote.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { gunzipSync } from "node:zlib";
import { startCairn } from "./cairn.ts";
import { readTrail } from "./trail.ts";
import { callCairn } from "../cli/call.ts";

const HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS";
const mixed = (length: number) => "aB3dE5fG7hJ9kL1mN2pQ4rS6tU8v".repeat(9).slice(0, length);

/** Secrets that no other text of the run holds, and an event around each. */
const SECRETS: readonly (readonly [secret: string, text: (secret: string) => object])[] = [
  ["MARK-plain-password-1", (s) => ({ password: s })],
  ["MARK-deep-secret-2", (s) => ({ a: [{ b: { clientSecret: s } }] })],
  ["MARK-option-3", (s) => ({ command: `mysql --password=${s} -u root` })],
  ["MARK-variable-4", (s) => ({ command: `PGPASSWORD=${s} psql` })],
  ["MARK-url-5", (s) => ({ dsn: `postgres://app:${s}@db.internal/app` })],
  ["MARK-json-6", (s) => ({ body: JSON.stringify({ user: "bob", apiKey: s }) })],
  ["MARK-header-7", (s) => ({ note: `curl -H 'X-Vault-Token: ${s}'` })],
  ["MARK-pair-8", (s) => ({ environment: [{ name: "DB_PASSWORD", value: s }] })],
  [`ghp_${mixed(36)}`, (s) => ({ note: `pushed with ${s} today` })],
  [`ASIA${"Q7RW2XYZ5ABCD3EF"}`, (s) => ({ note: `key ${s}` })],
  [`IQoJb3JpZ2luX2Vj${mixed(120)}`, (s) => ({ note: s })],
  [`xoxb-1234567890-${mixed(24)}`, (s) => ({ note: s })],
  [`sk_live_${mixed(24)}`, (s) => ({ note: s })],
  [`eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.${mixed(43)}`, (s) => ({ note: `Bearer ${s}` })],
  [`MIIE${mixed(150)}`, (s) => ({
    note: `-----BEGIN RSA PRIVATE KEY-----\n${s}\n-----END RSA PRIVATE KEY-----`,
  })],
  ["MARK-card-0000-9", (s) => ({ note: `paid with ${s}` })],
  ["MARK-customer-10", (s) => ({ customer: s })],
];
const HASH_KEY = "MARK-the-key-of-the-hash";

function configuration(folder: string): string {
  const line = (event: object) => `${JSON.stringify(event)}\n`;
  const events = SECRETS.map(([secret, text], i) =>
    line({ ts: 1_780_000_000 + i, event: "Order", user: "alice", request: text(secret) })
  );
  const noise = Array.from(
    { length: 40 },
    (_, i) =>
      line({ ts: 1_780_000_000 + i, event: "Probe", user: "kubelet", ip: "10.0.0.7", request: {} }),
  );
  const plain = line({ ts: 1_780_000_100, event: "Login", user: "alice", ip: "192.0.2.9" });
  const repeat = line({
    ts: 1_780_000_101,
    event: "Order",
    user: "bob",
    request: { customer: "MARK-customer-10" },
  });
  writeFileSync(join(folder, "shop.jsonl"), [...events, ...noise, plain, repeat].join(""));
  writeFileSync(join(folder, "teams.csv"), "user,team\nalice,web\n");
  const path = join(folder, "cairn.yaml");
  writeFileSync(
    path,
    `
agent: { account_id: "111122223333", region: eu-central-1, data_dir: ${folder}/data, host: web-01 }
receivers:
  file/shop:
    path: ${folder}/shop.jsonl
    format: json
    start_at: beginning
    mapping:
      time: $.ts
      service: shop
      action: $.event
      actor: { name: $.user }
      origin: { address: $.ip }
      request: $.request
processors:
  filter:
    drop:
      - reason: probes
        event_pattern: { eventName: [Probe], sourceIPAddress: [{ cidr: 10.0.0.0/8 }] }
  redact:
    rules:
      - fields: [requestParameters.customer]
        action: hash
      - patterns: ['MARK-card-[0-9-]+']
    hash_key: "\${env:E2E_HASH_KEY}"
  enrich:
    ec2: { when: never }
    tables:
      - { path: ${folder}/teams.csv, as: owner, field: userIdentity.userName, values: { team: team } }
exporters:
  trail: { directory: ${folder}/trail, batch: { max_age: 100ms } }
  file: { path: ${folder}/all.jsonl, batch: { max_age: 100ms } }
service:
  # The books are to tell what the source holds.
  self_audit: false
  pipelines: { main: { receivers: [file/shop], processors: [filter, redact, enrich], exporters: [trail, file] } }
  telemetry: { logs: { level: debug } }
`,
  );
  return path;
}

/** Everything below a folder as text, what is gzip unpacked. */
function contents(folder: string): string {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => {
    const bytes = readFileSync(join(entry.parentPath, entry.name));
    return (bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes).toString("latin1");
  }).join("\n");
}

interface Books {
  counts: Record<"received" | "filtered" | "duplicate" | "rejected" | "stored", number>;
  exporters: { delivered: number; queued: number }[];
  deadLetters: number;
}

/** What `cairn status` says of an agent that runs on the same data. */
async function status(config: string, env: Record<string, string>) {
  const agent = startCairn(["run", "--config", config], { env });
  await agent.said(/Running/);
  const { stdout } = await callCairn(["status", "--json", "--config", config], env);
  agent.kill("SIGTERM");
  const { code, stderr } = await agent.exit;
  return {
    code,
    stderr,
    stdout,
    books: (JSON.parse(stdout) as { pipelines: Books[] }).pipelines[0]!,
  };
}

t.test("records are filtered, redacted and enriched, and no secret is left anywhere", async (t) => {
  const folder = t.testdir();
  const config = configuration(folder);
  const env = { E2E_HASH_KEY: HASH_KEY };
  const { code, stdout, stderr } = await startCairn(["run", "--once", "--config", config], { env })
    .exit;
  t.equal(code, 0, stderr);

  const records = readTrail(join(folder, "trail")).map(({ record }) => record);
  t.equal(records.length, SECRETS.length + 2);
  const requests = records.filter(({ eventName }) => eventName === "Order")
    .map(({ requestParameters }) => requestParameters as Record<string, unknown>);
  t.equal(
    requests.filter((request) => JSON.stringify(request).includes(HIDDEN)).length,
    SECRETS.length - 1,
  );
  t.match(requests.find(({ command }) => command), {
    command: `mysql --password=${HIDDEN} -u root`,
  });
  const customers = requests.flatMap(({ customer }) => customer === undefined ? [] : [customer]);
  t.match(customers, [/^hmac-sha256:[0-9a-f]{64}$/, /^hmac-sha256:/]);
  t.equal(customers[0], customers[1], "the same customer is still found to be the same");
  for (const { additionalEventData, userIdentity } of records) {
    const isAlice = (userIdentity as { userName: string }).userName === "alice";
    t.match(additionalEventData, {
      host: "web-01",
      environment: { host: { name: "web-01" }, ...isAlice ? { owner: { team: "web" } } : {} },
    });
  }

  const after = await status(config, env);
  t.equal(after.code, 0, after.stderr);
  const { counts, exporters, deadLetters } = after.books;
  t.match(counts, { filtered: 40, rejected: 0, stored: records.length });
  t.equal(counts.received, counts.filtered + counts.duplicate + counts.rejected + counts.stored);
  t.same(exporters.map(({ delivered, queued }) => [delivered, queued]), [
    [records.length, 0],
    [records.length, 0],
  ]);
  t.equal(deadLetters, 0);

  const written = ["data", "trail"].map((name) => contents(join(folder, name)));
  for (const text of written) t.ok(text.includes(HIDDEN), "records can be read here");
  const all = [
    ...written,
    readFileSync(join(folder, "all.jsonl"), "utf8"),
    stdout + stderr + after.stdout + after.stderr,
  ].join("\n");
  for (const secret of [...SECRETS.map(([secret]) => secret), HASH_KEY]) {
    t.notOk(all.includes(secret), `${secret.slice(0, 24)} is nowhere`);
  }
});
