// Promise P12, and from a configuration's text to factories and options: every class of problem
// with its place, all at once, and the values that come out.

import t from "tap";
import { loadSources } from "../../src/config/load.ts";
import { formatProblem } from "../../src/config/problem.ts";
import { resolve } from "../../src/config/resolve.ts";
import { factories } from "./factories.ts";

const VARIABLES: Readonly<Record<string, string>> = {
  ACCOUNT: "012345678901",
  PORT: "4580",
  OFF: "false",
  SECRET: "hunter2",
};

const environment = {
  env: (name: string) => VARIABLES[name],
  readFile: () => {
    throw new Error("no such file");
  },
};

async function resolveText(text: string, set: readonly string[] = []) {
  const loaded = loadSources({ sources: [{ name: "c.yaml", text }], set, environment });
  const { config, problems, warnings } = await resolve(loaded, factories, {
    host: "box",
    dataDir: "/data",
  });
  return { config, problems: problems.map(formatProblem), warnings: warnings.map(formatProblem) };
}

const GOOD = `receivers:
  auditd:
exporters:
  trail: { directory: ./trail }
service:
  pipelines:
    audit: { receivers: [auditd], exporters: [trail] }
`;

t.test("resolve() fills every default of a short configuration", async (t) => {
  const { config, problems, warnings } = await resolveText(GOOD);
  t.same(problems, []);
  t.same(warnings, []);
  t.same(config?.agent, {
    accountId: "000000000000",
    region: "local",
    partition: "cairn",
    domain: "host.internal",
    host: "box",
  });
  t.equal(config?.dataDir, "/data");
  t.equal(config?.stopTimeoutMs, 30_000);
  t.same(config?.receivers.get("auditd")?.config, {
    path: "/var/log/audit/audit.log",
    start_at: "end",
    wait: 2000,
    on: true,
  });
  t.same(config?.pipelines, [{
    name: "audit",
    receivers: ["auditd"],
    processors: [],
    exporters: ["trail"],
    queue: { bytesMax: 2 ** 30, freeDiskBytesMin: 100 * 2 ** 20, overflow: "block" },
  }]);
  t.match(config?.exporters.get("trail"), {
    batch: { maxRecords: 7, maxBytes: 4 * 2 ** 20, maxAgeMs: 1000 },
    retry: { initialMs: 1000, maxMs: 60_000, multiplier: 2, jitter: 0.2 },
    timeoutMs: 30_000,
  });
});

t.test("resolve() gives a value the type its schema wants", async (t) => {
  const { config, problems } = await resolveText(
    `agent: { account_id: 012345678901, organization_id: o-abcdefghij, host: 42 }
receivers:
  auditd: { port: "\${env:PORT}", on: "\${env:OFF}", path: 007, match: [1, x] }
  auditd/two: { match: 0x1F }
exporters:
  trail: { directory: 2026 }
service:
  pipelines:
    audit: { receivers: [auditd, auditd/two], exporters: [trail] }
`,
  );
  t.same(problems, []);
  t.match(config?.agent, { accountId: "012345678901", host: "42" });
  t.match(config?.receivers.get("auditd")?.config, {
    port: 4580,
    on: false,
    path: "007",
    match: ["1", "x"],
  });
  t.match(config?.receivers.get("auditd/two")?.config, { match: "0x1F" });
  t.match(config?.exporters.get("trail")?.config, { directory: "2026" });
});

t.test("resolve() tells ten mistakes in ten places, with what was meant", async (t) => {
  const { config, problems } = await resolveText(
    `agent:
  acount_id: "111122223333"
  region: EU_central
recievers: {}
receivers:
  auditd:
    start_at: begining
    wait: 5
  auditdd: {}
  file:
    path: [/var/log/app.log]
    format: jsn
exporters:
  trail: {}
  trail/s3: { directory: a, batch: { max_record: 1 } }
service:
  pipelines:
    audit: { receivers: [auditd, flie], exporters: [trail], queue: { overflow: drop } }
`,
  );
  t.equal(config, undefined);
  t.same(problems, [
    'c.yaml:2:3: agent.acount_id: Unknown option (did you mean "account_id"?)',
    "c.yaml:3:11: agent.region: Expected lower-case words and digits joined by hyphens, " +
    "such as eu-central-1",
    'c.yaml:4:1: recievers: Unknown option (did you mean "receivers"?)',
    'c.yaml:7:15: receivers.auditd.start_at: Expected one of "end", "beginning", got "begining" ' +
    '(did you mean "beginning"?)',
    "c.yaml:8:11: receivers.auditd.wait: Expected a duration such as 500ms, 5s, 10m or 1h",
    'c.yaml:9:3: receivers.auditdd: Unknown receiver type "auditdd" (did you mean "auditd"?)',
    "c.yaml:11:11: receivers.file.path: Expected text, got a list",
    "c.yaml:14:3: exporters.trail.directory: Missing, expected text",
    "c.yaml:15:38: exporters.trail/s3.batch.max_record: Unknown option " +
    '(did you mean "max_records"?)',
    'c.yaml:18:34: service.pipelines.audit.receivers[1]: No receiver "flie" is configured ' +
    '(did you mean "file"?)',
    'c.yaml:18:80: service.pipelines.audit.queue.overflow: Expected one of "block", ' +
    '"drop_oldest", got "drop"',
  ]);
});

t.test("resolve() checks the options a receiver hands to its format where they stand", async (t) => {
  const text = (rest: string) =>
    `receivers:
  file: { path: x, ${rest} }
exporters:
  trail: { directory: t }
service: { pipelines: { p: { receivers: [file], exporters: [trail] } } }
`;
  const good = await resolveText(text("format: json, mapping: { action: a, account: 012 }"));
  t.same(good.problems, []);
  t.match(good.config?.receivers.get("file")?.config, { mapping: { account: "012" } });
  t.ok(good.config?.formats.has("json"));
  const unknown = await resolveText(text("format: jsn"));
  t.same(unknown.problems, [
    'c.yaml:2:28: receivers.file.format: Unknown format (did you mean "json"?)',
  ]);
  const bad = await resolveText(text("format: json, mapping: { acton: a }"));
  t.same(bad.problems, [
    "c.yaml:2:34: receivers.file.mapping.action: Missing, expected text",
    'c.yaml:2:45: receivers.file.mapping.acton: Unknown option (did you mean "action"?)',
  ]);
  const below = await resolveText(
    text("format: json, mapping: { action: a }, format_options: { max_dept: 3, max_depth: x }"),
  );
  t.same(below.problems, [
    "c.yaml:2:76: receivers.file.format_options.max_dept: Unknown option " +
    '(did you mean "max_depth"?)',
    "c.yaml:2:100: receivers.file.format_options.max_depth: Expected a number, got text",
  ]);
});

t.test("resolve() never prints a value that came from the environment", async (t) => {
  const { problems } = await resolveText(`receivers:
  auditd: { start_at: "\${env:SECRET}" }
exporters:
  trail: { directory: x, token: "\${env:SECRET}" }
service:
  extensions: ["\${env:SECRET}"]
  pipelines:
    audit: { receivers: ["\${env:SECRET}"], exporters: [trail] }
`);
  t.equal(problems.length, 4);
  t.notMatch(problems.join("\n"), /hunter2/);
  t.match(problems.join("\n"), /Bad token <hidden>/);
});

t.test("resolve() refuses what cannot be run", async (t) => {
  const rows: readonly [text: string, problem: RegExp][] = [
    ["", /^c\.yaml:1:1: service\.pipelines: Missing, expected a map$/],
    ["service: { pipelines: {} }", /service\.pipelines: Expected at least one pipeline/],
    [GOOD.replace("[trail]", "[]"), /exporters: A pipeline needs an exporter/],
    [GOOD.replace("[trail]", "[trail, trail]"), /exporters\[1\]: Names "trail" twice/],
    [GOOD.replace("[trail]", "trail"), /exporters: Expected a list, got text/],
    [GOOD.replace("auditd:", "auditd/a.b: {}\n  auditd:"), /auditd\/a\.b: Component id is not/],
    [GOOD.replace("auditd:", "auditd: off"), /receivers\.auditd: Expected a map of options/],
    [GOOD.replace("trail: {", "trail: { timeout: {}, "), /timeout: Expected text, got a map/],
    [`${GOOD}    more: { receivers: [auditd], exporters: [trail] }\n`, /used by pipeline "audit"/],
    [GOOD.replace("service:", "service:\n  extensions: [health]"), /No extension "health"/],
    [GOOD.replace("./trail", '"${env:NOT_SET}"'), /Environment variable "NOT_SET" is not set/],
    [
      GOOD.replace("./trail", "x, event_selectors: [], advanced_event_selectors: []"),
      /exporters\.trail/,
    ],
  ];
  for (const [text, problem] of rows) {
    const { config, problems } = await resolveText(text);
    t.equal(config, undefined, String(problem));
    t.match(problems.join("\n"), problem);
  }
});

t.test("resolve() warns of components that nothing uses, and leaves them out", async (t) => {
  const { config, warnings } = await resolveText(
    `${GOOD}extensions:\n  health:\nprocessors:\n  filter: {}\n`,
  );
  t.same(warnings, [
    "c.yaml:9:3: extensions.health: Not used (name it in service.extensions)",
    "c.yaml:11:3: processors.filter: Not used (name it in a pipeline)",
  ]);
  t.equal(config?.extensions.size, 0);
});

t.test("resolve() points at --set for what --set broke", async (t) => {
  const { problems } = await resolveText(GOOD, ["receivers.auditd.start_at=middle"]);
  t.match(problems, [/^--set receivers\.auditd\.start_at=…: receivers\.auditd\.start_at: /]);
});

t.test("resolve() says in its own words what is too small, too many, empty or no such thing", async (t) => {
  const { problems } = await resolveText(`agent: { host: "", data_dir: "", self: 1 }
receivers: { auditd: }
exporters:
  trail: { directory: x, retry: { multiplier: 0.5, jitter: 3 }, batch: { max_records: 0 } }
service:
  telemetry:
    traces: { sample_ratio: 7 }
    metrics: { otlp: { endpoint: "x y", headers: { "a b": c } } }
  pipelines: { audit: { receivers: [auditd], exporters: [trail], queue: { min_free_disk: 5 } } }
`);
  const told = problems.join("\n");
  for (
    const line of [
      "agent.host: Expected text, got none",
      "exporters.trail.retry.jitter: Expected at most 1",
      "exporters.trail.retry.multiplier: Expected at least 1",
      "exporters.trail.batch.max_records: Expected at least 1",
      "service.telemetry.traces.sample_ratio: Expected at most 1",
      "service.telemetry.metrics.otlp.headers.a b: Expected the name of a header",
      "queue.min_free_disk: Expected a size such as 64KiB",
    ]
  ) t.ok(told.includes(line), line);
  t.notMatch(told, /Invalid|Too (?:small|big)|>=|<=/);
});

t.test("resolve() takes 0 without a unit: no limit on free disk space", async (t) => {
  const queue = "queue: { min_free_disk: 0 }";
  const { config } = await resolveText(GOOD.replace("[trail] }", `[trail], ${queue} }`));
  t.equal(config?.pipelines[0]?.queue.freeDiskBytesMin, 0);
});
