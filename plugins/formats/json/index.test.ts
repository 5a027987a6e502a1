// Format json as a plugin: conformance, the default mapping, limits.

import t from "tap";
import { conformance, testContext } from "../../sdk/conformance.ts";
import type { Decoded } from "../../sdk/index.ts";
import json from "./index.ts";

function decode(config: unknown, text: string): Decoded {
  const format = json.create(json.config.parse(config), testContext());
  return format.decode(new TextEncoder().encode(text), { source: "file:1", offset: 0 });
}

function event(config: unknown, text: string) {
  const decoded = decode(config, text);
  if (!("events" in decoded)) throw new Error("Format json made records");
  return decoded.events[0];
}

const mapping = {
  time: "$.ts",
  service: "gate",
  action: { path: "$.verb", map: { open: "OpenGate" } },
  actor: { name: "$.who" },
};

await conformance(t, json, {
  minimal: {},
  config: { mapping },
  frames: Array.from(
    { length: 50 },
    (_, i) =>
      new TextEncoder().encode(`{"ts":${1_700_000_000 + i},"verb":"open","who":"user ${i}"}`),
  ),
});

t.test("without a mapping, the usual names are found and the whole object is kept", async (t) => {
  const root = {
    "@timestamp": "2026-01-02T03:04:05Z",
    service: "API",
    event: { action: "user_login", outcome: "failure" },
    user: { name: "alice", id: 7 },
    source: { ip: "192.0.2.1" },
    error: { code: "bad-password", message: "no" },
    odd: null,
  };
  const { id: _, ...found } = event({}, JSON.stringify(root)) ?? {};
  t.same(found, {
    time: Date.UTC(2026, 0, 2, 3, 4, 5),
    service: "api",
    action: "UserLogin",
    actor: { type: "user", name: "alice", id: "7" },
    outcome: { success: false, code: "BadPassword", message: "no" },
    origin: { address: "192.0.2.1" },
    additional: root,
    readOnly: false,
    category: "Management",
  });
});

t.test("without a mapping, a message names no action and nobody is invented", async (t) => {
  const found = event({}, '{"time":1700000000,"msg":"alice logged in from 192.0.2.1"}');
  t.match(found, { service: "unknown", action: "LogMessage", actor: { type: "user" } });
  t.same(found?.actor, { type: "user" });
  t.throws(() => event({}, '{"msg":"x"}'), { name: "RejectedInput", message: "Has no time" });
});

t.test("a member named twice is kept in the whole text", async (t) => {
  const text = '{"ts":1700000000,"verb":"open","who":"alice","who":"mallory"}';
  const found = event({ mapping }, text);
  t.match(found, { actor: { name: "mallory" }, additional: { _raw: text } });
});

t.test("a blank frame is passed over", async (t) => {
  t.equal(event({ mapping }, "  "), undefined);
});

t.test("limits come from the configuration", async (t) => {
  t.throws(() => decode({ mapping, max_bytes: "10B" }, '{"ts":1,"a":2}'), {
    message: "Is 14 bytes long: the limit is 10",
  });
  t.throws(() => decode({ mapping, max_depth: 1 }, '{"a":{}}'), {
    message: "Is nested 2 deep: the limit is 1",
  });
});

t.test("problems of a mapping have their path in the configuration", async (t) => {
  const result = json.config.safeParse({ mapping: { ...mapping, actor: { nmae: "$.x" } } });
  t.match(result.error?.issues, [
    { code: "unrecognized_keys", path: ["mapping", "actor"], keys: ["nmae"] },
  ]);
});
