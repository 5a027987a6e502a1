// The mapping language: events from objects, values, conditions, and problems with their places.

import t from "tap";
import type { JsonObject } from "./json.ts";
import { createMapper, mapping, NOT_MEANT } from "./mapping.ts";

const at = { source: "file:1", offset: 7, receivedAt: Date.UTC(2026, 0, 5) };
const base = { time: "$.ts", service: "shop", action: "$.op" };

function event(source: object, root: JsonObject, ignored: (reason: string) => void = () => {}) {
  const bytes = new TextEncoder().encode(JSON.stringify(root));
  return createMapper(mapping.parse(source), ignored)({ root, bytes, at });
}

/** `path: message` of every problem. */
function problems(source: unknown): string[] {
  const result = mapping.safeParse(source);
  return result.success
    ? []
    : result.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
}

t.test("createMapper() makes the whole event that a mapping describes", async (t) => {
  const source = {
    id: "$.uid",
    time: { path: "$.ts", format: "epoch_s" },
    service: "Shop",
    action: { path: "$.op", map: { login: "UserLogin" }, default: "DoOther" },
    host: "$.node",
    actor: { name: "$.user.name", id: "$.user.id", session: { id: "$.sid", mfa: "$.mfa" } },
    outcome: { success: { path: "$.status", equals: 200 }, code: "$.why", message: "$.text" },
    origin: { address: "$.peer", user_agent: "$.agent" },
    resources: [{ type: "Shop::Basket", name: "$.basket" }, { type: "Shop::Item", name: "$.item" }],
    request: { basket: "$.basket", tag: "v1" },
    response: "$.result",
    additional: { who: { template: "{$.user.name}@{$.node}" } },
    read_only: { path: "$.method", in: ["GET", "HEAD"] },
    category: "Data",
  };
  const root = {
    uid: "e-1",
    ts: 1_700_000_000.25,
    op: "login",
    node: "db-1",
    user: { name: "alice", id: 1000, team: "ops" },
    sid: "s1",
    mfa: "yes",
    status: 403,
    why: "access_denied",
    text: "no",
    peer: "[2001:db8::1]:443",
    agent: "curl/8",
    basket: "b7",
    result: { ok: false },
    method: "GET",
    more: [1, 2],
  };
  t.same(event(source, root), {
    id: "e-1",
    time: 1_700_000_000_250,
    service: "shop",
    action: "UserLogin",
    actor: { type: "user", name: "alice", id: "1000", session: { id: "s1", mfa: true } },
    outcome: { success: false, code: "AccessDenied", message: "no" },
    host: "db-1",
    origin: { address: "2001:db8::1", port: 443, userAgent: "curl/8" },
    resources: [{ type: "Shop::Basket", name: "b7" }],
    request: { basket: "b7", tag: "v1" },
    response: { ok: false },
    additional: {
      ts: 1_700_000_000.25,
      op: "login",
      user: { team: "ops" },
      sid: "s1",
      mfa: "yes",
      status: 403,
      why: "access_denied",
      text: "no",
      peer: "[2001:db8::1]:443",
      method: "GET",
      more: [1, 2],
      who: "alice@db-1",
    },
    readOnly: true,
    category: "Data",
  });
});

t.test("createMapper() keeps in additional what nothing copies, and drops it when told", async (t) => {
  const root = { ts: "2026-01-01", op: "Go", user: { deep: 1 }, a: { b: 1, c: 2 }, l: ["x", "y"] };
  const source = { ...base, actor: { name: "$.user" }, request: { b: "$.a.b", l: "$.l[0]" } };
  t.same(event(source, root)?.additional, {
    ts: "2026-01-01",
    op: "Go",
    user: { deep: 1 },
    a: { c: 2 },
    l: ["x", "y"],
  }, "an object where a name was expected stays, and so does a list of which one entry was read");
  t.equal(event({ ...source, unmapped: "drop" }, root)?.additional, undefined);
  t.equal(event({ ...base, request: "$" }, root)?.additional, undefined, "all of it was copied");
});

t.test("createMapper() gives the same line at the same place the same id, others another", async (t) => {
  const root = { ts: 1_700_000_000, op: "Go" };
  const id = event(base, root)?.id;
  t.match(id, /^file:1:7:[0-9a-f]{16}$/);
  t.equal(event({ ...base, id: "$.uid" }, root)?.id, id, "also where the mapped id is missing");
  t.not(event(base, { ...root, op: "Stop" })?.id, id);
});

t.test("createMapper() names what an event lacks", async (t) => {
  const rejected = { name: "RejectedInput" };
  t.throws(() => event(base, { op: "Go" }), { ...rejected, message: "Has no time" });
  t.throws(() => event(base, { ts: 1e9 }), { ...rejected, message: "Has no action" });
  t.throws(() => event(base, { ts: 1e9, op: "--" }), { ...rejected, message: "Has no action" });
  t.throws(() => event({ ...base, service: "$.s" }, { ts: 1e9, op: "Go" }), {
    ...rejected,
    message: "Has no service",
  });
  t.throws(
    () => event({ ...base, outcome: { success: "$.ok" } }, { ts: 1e9, op: "Go", ok: "maybe" }),
    { ...rejected, message: 'Cannot tell success from "maybe"' },
  );
});

t.test("the first case whose condition holds lays its members over the mapping", async (t) => {
  const source = {
    ...base,
    when: { not: { path: "$.op", equals: "ping" } },
    cases: [
      {
        when: { path: "$.msg", matches: "^Accepted (?<how>\\w+) for (?<user>\\S+)" },
        action: "UserLogin",
        actor: { name: "$match.user" },
        request: { method: "$match.how" },
      },
      {
        when: { any: [{ path: "$.n", exists: true }, { path: "$.ok", equals: true }] },
        action: "N",
      },
    ],
  };
  const root = { ts: 1e9, op: "other" };
  t.equal(event(source, { ...root, op: "ping" }), undefined, "passed over");
  const login = event(source, { ...root, msg: "Accepted publickey for bob from" });
  t.match(login, { action: "UserLogin", actor: { name: "bob" }, request: { method: "publickey" } });
  t.match(event(source, { ...root, n: 0 }), { action: "N", actor: { type: "user" } });
  t.match(event(source, { ...root, n: null, ok: true }), { action: "N" });
  t.match(event(source, root), { action: "Other" });
});

t.test("what a mapping leaves out is counted with the reason it names", async (t) => {
  const source = {
    ...base,
    when: { path: "$.kind", equals: "audit" },
    ignore: [
      { when: { path: "$.path", matches: "^/health" }, reason: "health check" },
      { when: { path: "$.user", equals: "probe" }, reason: "monitoring" },
    ],
  };
  const reasons: string[] = [];
  const left = (root: JsonObject) => event(source, root, (reason) => reasons.push(reason));
  t.equal(left({ kind: "debug" }), undefined);
  t.equal(left({ kind: "audit", path: "/healthz" }), undefined);
  t.equal(left({ kind: "audit", user: "probe" }), undefined);
  t.match(left({ kind: "audit", ts: 1e9, op: "Go" }), { action: "Go" });
  t.same(reasons, [NOT_MEANT, "health check", "monitoring"]);
  t.same(problems({ ...base, ignore: [{ when: { path: "$.a", exists: true } }] }).length, 1);
});

t.test("conditions: bounds of numbers, members of lists", async (t) => {
  const holds = (condition: object, root: JsonObject) =>
    event({ ...base, when: { path: "$.x", ...condition } }, { ts: 1e9, op: "Go", ...root }) !==
      undefined;
  t.ok(holds({ min: 400 }, { x: 404 }));
  t.ok(holds({ min: 400, max: 499 }, { x: "499" }));
  t.notOk(holds({ min: 400, max: 499 }, { x: 500 }));
  t.notOk(holds({ min: 0 }, { x: "many" }));
  t.notOk(holds({ max: 9 }, {}));
  t.ok(holds({ contains: "admin" }, { x: ["dev", "admin"] }));
  t.ok(holds({ contains: 7 }, { x: ["7"] }));
  t.notOk(holds({ contains: "admin" }, { x: "admin" }));
  t.notOk(holds({ contains: "admin" }, { x: [["admin"]] }));
});

t.test("values: first, default, extract, choice, constants that look like paths", async (t) => {
  const source = {
    ...base,
    request: {
      first: { first: ["$.none", "$.empty", "$.zero"] },
      default: { path: "$.none", default: { path: "$.n" } },
      extract: { path: "$.addr", extract: "^(?<ip>[^:]+)" },
      choice: { when: { path: "$.n", in: [1, 2] }, then: "few", else: "many" },
      price: { const: "$.50" },
      missing: "$.none",
      odd: "$['odd key'].x[-1]",
      inherited: "$.constructor",
      half: { template: "{$.n}-{$.none}" },
    },
  };
  const root = {
    ts: 1e9,
    op: "Go",
    empty: "",
    zero: 0,
    n: 3,
    addr: "192.0.2.1:22",
    "odd key": { x: ["a", "b"] },
  };
  t.same(event(source, root)?.request, {
    first: 0,
    default: 3,
    extract: "192.0.2.1",
    choice: "many",
    price: "$.50",
    odd: "b",
  });
});

t.test("actors are what the source says, and unknown where it says nothing", async (t) => {
  const actor = (actor: object, root: JsonObject = {}) =>
    event({ ...base, actor }, { ts: 1e9, op: "Go", ...root })?.actor;
  const root = { by: "alice", as: "root", unit: "cron" };
  t.same(actor({ name: "$.nobody" }), { type: "user" });
  t.same(actor({ type: "service", name: "$.unit" }, root), { type: "service", name: "cron" });
  t.same(actor({ type: "service", name: "$.nobody" }, root), { type: "user" });
  t.same(actor({ type: "root" }), { type: "root" });
  t.same(actor({ type: "account", id: "111122223333" }), {
    type: "account",
    accountId: "111122223333",
  });
  t.same(actor({ type: "anonymous" }), { type: "anonymous" });
  const role = { name: "$.as", assumed_by: { name: "$.by" } };
  t.same(actor(role, root), {
    type: "role",
    name: "root",
    assumedBy: { type: "user", name: "alice" },
  });
  t.same(actor(role, { by: "alice" }), { type: "user", name: "alice" });
  const federation = { protocol: "oidc", provider: "https://idp.example" };
  t.same(actor({ name: "$.by", federation }, root), { type: "user", name: "alice", federation });
});

t.test("an address that is none becomes the origin's host", async (t) => {
  const origin = (addr: string) =>
    event({ ...base, origin: { address: "$.a", port: "$.p" } }, {
      ts: 1e9,
      op: "Go",
      a: addr,
      p: 99,
    })
      ?.origin;
  t.same(origin("192.0.2.1"), { address: "192.0.2.1", port: 99 });
  t.same(origin("192.0.2.1:443"), { address: "192.0.2.1", port: 99 });
  t.same(origin("bastion.example"), { host: "bastion.example", port: 99 });
});

t.test("members called __proto__ travel as members", async (t) => {
  const root = JSON.parse('{"ts":1000000000,"op":"Go","__proto__":{"x":1}}');
  t.same(Object.keys(event(base, root)?.additional ?? {}), ["ts", "op", "__proto__"]);
});

t.test("every problem of a mapping is reported at its place", async (t) => {
  const found = problems({
    time: { path: "$.ts", format: "%H:%M", timezone: "Mars/Base" },
    service: "$.a..b",
    actor: { nam: "$.user", type: "robot", name: { path: "user" } },
    outcome: { success: { path: "$.ok", matches: "(?=x)" } },
    category: "Audit",
    request: { a: { pth: "$.a" }, b: { first: [] } },
    cases: [{ when: { path: "$.x" } }],
    unmapped: "keeep",
  });
  const places = found.map((problem) => problem.split(":")[0]).sort();
  t.same(places, [
    "actor",
    "actor.name.path",
    "cases.0.when",
    "category",
    "outcome.success.matches",
    "request.a",
    "request.b.first",
    "service",
    "time.format",
    "time.timezone",
    "unmapped",
  ]);
  t.match(found.join("\n"), /look-around and back references do not exist here/);
  t.match(found.join("\n"), /Cannot read path "\$\.a\.\.b" at "\.\.b"/);
});

t.test("a mapping without time, service or action is refused before it runs", async (t) => {
  t.same(problems({ time: "$.ts" }).map((problem) => problem.split(":")[0]), ["service", "action"]);
  t.same(
    problems({ ...base, action: undefined, cases: [{ when: { path: "$.x", exists: true } }] }),
    [
      "action: Required: an event has a time, a service and an action",
    ],
  );
  const when = { path: "$.x", exists: true };
  t.same(problems({ time: "$.ts", service: "a", cases: [{ when, action: "Go" }] }), []);
});

t.test("expressions made to hang a backtracking engine end at once", async (t) => {
  const source = { ...base, when: { path: "$.msg", matches: "^(a+)+$|^(?:x|x|x?)*y" } };
  const begin = performance.now();
  t.equal(event(source, { ts: 1e9, op: "Go", msg: "a".repeat(50_000) + "!" }), undefined);
  t.equal(event(source, { ts: 1e9, op: "Go", msg: "x".repeat(50_000) + "!" }), undefined);
  t.ok(performance.now() - begin < 20_000, "a backtracking engine needs longer than the universe");
});
