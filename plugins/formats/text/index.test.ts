// Format text as a plugin: conformance, patterns and cases, mismatches.

import t from "tap";
import { conformance, testContext } from "../../sdk/conformance.ts";
import text from "./index.ts";

const NGINX =
  '^(?<addr>\\S+) \\S+ (?<user>\\S+) \\[(?<time>[^\\]]+)\\] "(?<method>[A-Z]+) (?<path>[^ "]+)[^"]*" ' +
  '(?<status>\\d{3}) (?<size>\\d+|-)(?: "(?<referer>[^"]*)" "(?<agent>[^"]*)")?$';

const nginx = {
  pattern: NGINX,
  time: { path: "$.time", format: "clf" },
  service: "nginx",
  action: { template: "{$.method}Page" },
  actor: { name: { when: { not: { path: "$.user", equals: "-" } }, then: "$.user" } },
  origin: { address: "$.addr", user_agent: "$.agent" },
  outcome: {
    success: { path: "$.status", matches: "^[123]" },
    code: { template: "Http{$.status}" },
  },
  request: { path: "$.path" },
  read_only: { path: "$.method", in: ["GET", "HEAD"] },
  category: "Data",
};

const LINE = '192.0.2.9 - alice [17/May/2015:08:05:32 +0000] "GET /a HTTP/1.1" 404 0 "-" "curl/8"';

const syslog = {
  pattern: [
    "^(?<time>\\w{3} +\\d+ [\\d:]{8}) (?<host>\\S+) (?<program>[^\\[: ]+)(?:\\[(?<pid>\\d+)\\])?: (?<message>.*)$",
    "^(?<time>\\S+) (?<message>.*)$",
  ],
  on_mismatch: "skip",
  time: { path: "$.time", format: "rfc3164" },
  service: { path: "$.program", default: "unknown" },
  action: "LogMessage",
  host: "$.host",
  cases: [{
    when: {
      path: "$.message",
      matches: "^Accepted (?<method>\\S+) for (?<user>\\S+) from (?<addr>\\S+) port (?<port>\\d+)",
    },
    action: "UserLogin",
    actor: { name: "$match.user" },
    origin: { address: "$match.addr", port: "$match.port" },
  }],
};

const receivedAt = Date.UTC(2026, 3, 1);

function event(mapping: unknown, line: string | Uint8Array) {
  const format = text.create(text.config.parse({ mapping }), testContext());
  const frame = typeof line === "string" ? new TextEncoder().encode(line) : line;
  const decoded = format.decode(frame, { source: "file:1", offset: 3, receivedAt });
  if (!("events" in decoded)) throw new Error("Format text made records");
  return decoded.events[0];
}

await conformance(t, text, {
  minimal: { mapping: nginx },
  frames: Array.from(
    { length: 50 },
    (_, i) => new TextEncoder().encode(LINE.replace(":32 ", `:${String(i).padStart(2, "0")} `)),
  ),
});

t.test("named groups are members of the object that paths read", async (t) => {
  const { id: _, ...found } = event(nginx, LINE) ?? {};
  t.same(found, {
    time: Date.UTC(2015, 4, 17, 8, 5, 32),
    service: "nginx",
    action: "GETPage",
    actor: { type: "user", name: "alice" },
    outcome: { success: false, code: "Http404" },
    origin: { address: "192.0.2.9", userAgent: "curl/8" },
    request: { path: "/a" },
    additional: {
      line: LINE,
      addr: "192.0.2.9",
      user: "alice",
      time: "17/May/2015:08:05:32 +0000",
      method: "GET",
      status: "404",
      size: "0",
      referer: "-",
    },
    readOnly: true,
    category: "Data",
  });
  t.same(event(nginx, LINE.replace("alice", "-"))?.actor, { type: "user" });
});

t.test("the first pattern that matches counts, and a case adds groups of its own", async (t) => {
  const line =
    "Mar 27 13:08:09 web-7 sshd[1361]: Accepted publickey for ubuntu from 192.0.2.4 port 5425 ssh2";
  t.match(event(syslog, `${line}\r`), {
    time: Date.UTC(2026, 2, 27, 13, 8, 9),
    service: "sshd",
    action: "UserLogin",
    host: "web-7",
    actor: { type: "user", name: "ubuntu" },
    origin: { address: "192.0.2.4", port: 5425 },
  });
  t.match(event(syslog, "Mar 27 13:08:09 web-7 su: hello"), {
    service: "su",
    action: "LogMessage",
  });
});

t.test("a line that no pattern matches is rejected, or passed over when told", async (t) => {
  t.throws(() => event(nginx, "hello"), {
    name: "RejectedInput",
    message: "Matches no pattern of the mapping",
  });
  t.equal(event(syslog, "hello"), undefined);
  t.equal(event(nginx, " "), undefined, "a blank line is no line");
});

t.test("lines that are no UTF-8, or too long, are rejected", async (t) => {
  t.throws(() => event(nginx, Uint8Array.of(0xff, 0x41)), { message: "Is not UTF-8" });
  t.throws(() => event(nginx, "x".repeat(270_000)), {
    message: "Is 270000 bytes long: the limit is 262144",
  });
});

t.test("without a pattern, the line itself is what paths read", async (t) => {
  const mapping = { time: "received", service: "app", action: "Say", request: { said: "$.line" } };
  t.match(event(mapping, "hello"), { time: receivedAt, request: { said: "hello" } });
});

t.test("a pattern that cannot be compiled is a problem at its place", async (t) => {
  const mapping = { ...nginx, pattern: ["ok", "(?<a>"] };
  const issue = text.config.safeParse({ mapping }).error?.issues[0];
  t.same(issue?.path, ["mapping", "pattern"]);
  t.match(JSON.stringify(issue), /Cannot compile regular expression: missing closing \)/);
});
