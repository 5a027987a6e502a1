// Format vault: its contract, pairs of request and response, what is hidden, documents over lines.

import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import t from "tap";
import { conformance, testContext } from "../../sdk/conformance.ts";
import type { AuditEvent, Decoded } from "../../sdk/index.ts";
import vault from "./index.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const config = (options: object = {}) => vault.config.parse(options);

function eventsOf(decoded: Decoded): readonly AuditEvent[] {
  if (!("events" in decoded)) throw new Error("Format vault made records");
  return decoded.events;
}

const request = {
  id: "r-1",
  operation: "read",
  client_token: "hmac-sha256:aa",
  client_token_accessor: "hmac-sha256:ab",
  mount_point: "secret/",
  mount_type: "kv",
  namespace: { id: "root" },
  path: "secret/data/db",
  remote_address: "192.0.2.7",
  remote_port: 40222,
};
const auth = {
  client_token: "hmac-sha256:aa",
  accessor: "hmac-sha256:ab",
  display_name: "ldap-alice",
  policies: ["default", "db"],
  entity_id: "e-1",
  token_type: "service",
};
const time = "2026-01-02T03:04:05.678901234Z";
const asked = { time: "2026-01-02T03:04:05.5Z", type: "request", auth, request };
const answered = {
  time,
  type: "response",
  auth,
  request,
  response: {
    mount_type: "kv",
    data: { data: { pin: 1234, key: "hmac-sha256:cc" }, metadata: { version: 3 } },
  },
};

/** The events of documents given one a line, and of what then still waits. */
function read(...documents: object[]): readonly AuditEvent[] {
  const format = vault.create(config(), testContext());
  const events = documents.flatMap((document, index) =>
    eventsOf(format.decode(encode(JSON.stringify(document)), { source: "s", offset: index }))
  );
  return [...events, ...eventsOf(format.flush(Infinity))];
}

const one = (document: object) => read(document)[0]!;

await conformance(t, vault, {
  minimal: {},
  frames: Array.from({ length: 60 }, (_, i) => {
    const type = i % 3 === 2 ? "request" : i % 3 === 0 ? "request" : "response";
    const id = `r-${Math.floor(i / 3)}${i % 3 === 2 ? "b" : ""}`;
    return encode(JSON.stringify({ time, type, auth, request: { ...request, id } }));
  }),
});

t.test("a request and its response are one event", async (t) => {
  const events = read(asked, answered);
  t.equal(events.length, 1);
  t.same(events[0], {
    id: `r-1:response:${time}`,
    time: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
    service: "vault",
    action: "GetSecret",
    actor: { type: "user", name: "ldap-alice", id: "e-1" },
    outcome: { success: true },
    readOnly: true,
    category: "Data",
    origin: { address: "192.0.2.7", port: 40222 },
    resources: [{ type: "Vault::Secret", name: "secret/data/db" }],
    request: {
      id: "r-1",
      operation: "read",
      client_token: "hmac-sha256:aa",
      client_token_accessor: "hmac-sha256:ab",
      mount_point: "secret/",
      mount_type: "kv",
      namespace: { id: "root" },
      path: "secret/data/db",
    },
    response: {
      mount_type: "kv",
      data: {
        data: { pin: "[not copied]", key: "hmac-sha256:cc" },
        metadata: { version: 3 },
      },
    },
    additional: { type: "response", auth, requestTime: "2026-01-02T03:04:05.5Z" },
  });
});

t.test("a request waits for its response, for as long as it may", async (t) => {
  const format = vault.create(config({ wait: "2s", max_open_requests: 2 }), testContext());
  const take = (id: string, type: string, offset: number) =>
    eventsOf(format.decode(
      encode(JSON.stringify({ time, type, auth, request: { ...request, id } })),
      { source: "s", offset },
    )).map((event) => event.id.slice(0, event.id.indexOf(":2026")));
  t.same(take("a", "request", 10), []);
  t.same(format.oldestPending(), { source: "s", offset: 10 });
  t.same(eventsOf(format.flush(1000)), []);
  t.same(take("b", "request", 20), []);
  t.same(take("c", "request", 30), ["a:request"], "the oldest of too many goes");
  t.same(take("b", "response", 40), ["b:response"]);
  t.same(eventsOf(format.flush(5000)), []);
  t.equal(eventsOf(format.flush(7000)).length, 1);
  t.same(take("c", "response", 50), ["c:response"], "a late response is an event of its own");
  t.equal(format.oldestPending(), undefined);
  t.same(take("d", "request", 60), []);
  t.same(take("d", "request", 70), ["d:request"], "an id that comes again is another request");
});

t.test("actors: root, roles, logins, failed logins, nobody", async (t) => {
  const actor = (given: object, path = "sys/mounts") =>
    one({ time, type: "response", auth: given, request: { ...request, path } }).actor;
  t.same(actor({ display_name: "root", policies: ["root"] }), { type: "root" });
  t.same(actor({ display_name: "approle", entity_id: "e-2", metadata: { role_name: "ci" } }), {
    type: "role",
    name: "ci",
    assumedBy: { type: "user", name: "approle", id: "e-2" },
  });
  const login = {
    id: "l",
    operation: "update",
    path: "auth/ldap/login/alice",
    remote_address: "::1",
  };
  const response = { auth: { display_name: "ldap-alice", metadata: { username: "alice" } } };
  const found = one({ time, type: "response", auth: {}, request: login, response });
  t.same([found.action, found.actor], ["UserLogin", { type: "user", name: "alice" }]);
  const failed = one({ time, type: "response", request: login, error: "ldap operation failed" });
  t.same([failed.actor, failed.outcome], [{ type: "user", name: "alice" }, {
    success: false,
    code: "AuthenticationFailed",
    message: "ldap operation failed",
  }]);
  const health = { id: "h", operation: "read", path: "sys/health", remote_address: "::1" };
  t.same(one({ time, type: "request", request: health }).actor, { type: "anonymous" });
});

t.test("paths and operations have names, errors have codes", async (t) => {
  const action = (operation: string, path: string, mount_type?: string, mount_point?: string) =>
    one({
      time,
      type: "response",
      auth,
      request: { id: "x", operation, path, mount_type, mount_point },
    }).action;
  const cases: [string, string, string, string?, string?][] = [
    ["DisableAuditDevice", "delete", "sys/audit/file"],
    ["EnableAuthMethod", "update", "sys/auth/github"],
    ["ListSecretsEngines", "list", "sys/mounts"],
    ["TuneSecretsEngine", "update", "sys/mounts/kv/tune"],
    ["UpdatePolicy", "update", "sys/policies/acl/db"],
    ["ListPolicies", "list", "sys/policies/acl"],
    ["CreateToken", "update", "auth/token/create-orphan"],
    ["RevokeToken", "update", "auth/token/revoke-self"],
    ["CreateUser", "create", "auth/userpass/users/bob"],
    ["ChangePassword", "update", "auth/userpass/users/bob/password"],
    ["CreateSecretId", "create", "auth/approle/role/ci/secret-id"],
    ["UpdateEntity", "update", "identity/entity/id/7"],
    ["SealVault", "update", "sys/seal"],
    ["DeleteSecret", "delete", "kv/a", "kv", "kv/"],
    ["IssueCertificate", "update", "team/pki/issue/web", "pki", "team/pki/"],
    ["Decrypt", "update", "transit/decrypt/k", "transit", "transit/"],
    ["CreateCredentials", "read", "db/creds/ro", "database", "db/"],
    ["UpdateDatabase", "update", "db/config/pg", "database", "db/"],
    ["GetSystemResource", "read", "sys/unheard-of"],
  ];
  for (const [name, ...args] of cases) t.equal(action(...args), name, args.join(" "));
  const denied = one({ ...asked, error: "1 error occurred:\n\t* permission denied\n\n" });
  t.match(denied.outcome, { success: false, code: "AccessDenied" });
  t.same(one({ ...answered, response: { data: { error: "hmac-sha256:dd" } } }).outcome, {
    success: false,
    code: "OperationFailed",
  });
});

t.test("what Vault did not hash is not copied, but for what it was told to show", async (t) => {
  const transit = { ...request, mount_type: "transit", path: "transit/sign/k" };
  const shown = (tokens: object, data: object) =>
    one({ time, type: "request", auth: tokens, request: { ...transit, ...tokens, data } }).request;
  t.match(shown({ client_token: "hmac-sha256:aa" }, { role: "web", n: 2, password: "p" }), {
    client_token: "hmac-sha256:aa",
    data: { role: "web", n: 2, password: "[not copied]" },
  });
  const raw = {
    time,
    type: "request",
    request: {
      ...transit,
      client_token: "hvs.x",
      client_token_accessor: "y",
      data: { role: "web", n: 2 },
    },
  };
  t.match(one(raw).request, {
    client_token: "[not copied]",
    data: { role: "[not copied]", n: 2 },
  });
});

t.test("documents over several lines are joined, unfinished ones counted", async (t) => {
  const context = testContext();
  const format = vault.create(config({ max_document_bytes: "1KiB" }), context);
  let offset = 0;
  const take = (line: string) =>
    eventsOf(format.decode(encode(line), { source: "s", offset: offset++ })).length;
  const lines = JSON.stringify(answered, null, 2).split("\n");
  t.same(lines.map(take).slice(-2), [0, 1]);
  t.equal(format.oldestPending(), undefined);
  t.equal(take("{"), 0);
  t.same(format.oldestPending(), { source: "s", offset: offset - 1 });
  t.equal(take(JSON.stringify(answered)), 1, "the next document is read");
  t.same(context.ignoredCounts, { "unfinished document over several lines": 1 });
  take("{");
  t.throws(() => take('"a" }'), { name: "RejectedInput" });
  take("{");
  take(`"a": "${"x".repeat(1020)}",`);
  t.throws(() => take(`"a": "${"x".repeat(1000)}",`), { message: "Is not JSON" }, "over the limit");
  t.equal(context.ignoredCounts["unfinished document over several lines"], 3);
  take(`@cee: ${JSON.stringify({ type: "metric" })}`);
  t.equal(context.ignoredCounts["no audit document: neither request nor response"], 1);
});

t.test("the samples are read without loss", async (t) => {
  let root = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(root, "package.json")) || /\bdist\b/.test(root)) root = dirname(root);
  const folder = process.env.CAIRN_SAMPLES ?? join(root, "../shared/samples");
  const path = join(folder, "vault/ops-agent/input.log");
  if (!existsSync(path)) {
    if (process.env.CI) t.fail(`${path} is missing`);
    else t.pass("no samples on this machine", { skip: true });
    return;
  }
  const context = testContext();
  const format = vault.create(config(), context);
  const events: AuditEvent[] = [];
  for (const [offset, line] of readFileSync(path, "utf8").split("\n").entries()) {
    if (line !== "") events.push(...eventsOf(format.decode(encode(line), { source: "s", offset })));
  }
  events.push(...eventsOf(format.flush(Infinity)));
  t.equal(events.length, 8);
  t.equal(new Set(events.map(({ id }) => id)).size, 8);
  t.same(context.ignoredCounts, {});
  const failed = events.filter(({ outcome }) => !outcome.success);
  t.match(failed, [{ outcome: { code: "AccessDenied", message: "permission denied" } }]);
  t.same(events.map(({ action }) => action).sort(), [
    "CompleteRequest",
    "CompleteRequest",
    "CompleteRequest",
    "DeleteSystemResource",
    "EnableAuditDevice",
    "EnableAuditDevice",
    "EnableAuditDevice",
    "EnableAuditDevice",
  ]);
});
