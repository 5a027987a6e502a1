// Extension health over real HTTP: what each path answers, and when it turns red.

import { request } from "node:http";
import t, { type Test } from "tap";
import { conformance, testContext, testHost } from "../../sdk/conformance.ts";
import {
  type AgentHealth,
  agentStatusService,
  type ComponentHealth,
  type DeliveryHealth,
  type Host,
  type PipelineHealth,
} from "../../sdk/index.ts";
import { Faults } from "./faults.ts";
import health from "./index.ts";

const AT = Date.UTC(2026, 0, 2);

function receiver(state: ComponentHealth["state"], reason: string, since = AT): ComponentHealth {
  return { kind: "receiver", id: "syslog", state, reason, since };
}

function pipeline(
  exporter: Partial<DeliveryHealth> = {},
  queue: PipelineHealth["queue"] = { blocked: false },
): PipelineHealth {
  const idle: DeliveryHealth = {
    id: "trail",
    state: "running",
    queued: 0,
    position: 1,
    batchAgeMsMax: 500,
  };
  return { name: "audit", queue, exporters: [{ ...idle, ...exporter }] };
}

function agentOf(parts: Partial<AgentHealth> = {}): AgentHealth {
  return { state: "running", components: [], pipelines: [], ...parts };
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

function ask(address: string, path: string, method = "GET"): Promise<Answer> {
  const [host, port] = address.split(":");
  return new Promise((resolve, reject) => {
    const asking = request({ host, port, path, method, agent: false }, (answer) => {
      let body = "";
      answer.on("data", (chunk) => body += chunk);
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, body }));
    });
    asking.on("error", reject);
    asking.end();
  });
}

/** A started extension whose agent is as the test says. */
async function started(t: Test, options: Readonly<Record<string, unknown>> = {}) {
  const now = { agent: agentOf(), ms: AT };
  const reported = testHost();
  const host: Host = {
    ...reported,
    find: (kind) =>
      [kind === agentStatusService as unknown ? { status: () => now.agent } : undefined] as never,
  };
  const config = health.config.parse({ endpoint: "127.0.0.1:0", ...options });
  const extension = health.create(config, testContext({ clock: () => now.ms }));
  await extension.start(host);
  t.teardown(() => extension.stop(AbortSignal.timeout(2000)));
  const address = /127\.0\.0\.1:\d+/.exec(reported.reports[0]?.reason ?? "")![0];
  const statuses = async () =>
    await Promise.all(
      ["/live", "/ready", "/"].map(async (path) => (await ask(address, path)).status),
    );
  return { now, address, statuses };
}

conformance(t, health, { minimal: { endpoint: "127.0.0.1:0" } });

t.test("/ready and / are red until everything has started, /live never", async (t) => {
  const { now, address, statuses } = await started(t);
  t.same(await statuses(), [200, 200, 200]);
  for (const state of ["starting", "stopping"] as const) {
    now.agent = agentOf({ state });
    t.same(await statuses(), [200, 503, 503], state);
    t.equal((await ask(address, "/ready")).body, `${state}\n`);
  }
});

t.test("a failed component turns /ready and / red, and its reason is told", async (t) => {
  const { now, address, statuses } = await started(t);
  now.agent = agentOf({ components: [receiver("failed", "port 514 is taken")] });
  t.same(await statuses(), [200, 503, 503]);
  t.equal((await ask(address, "/ready")).body, 'receiver "syslog": port 514 is taken\n');
  const since = "2026-01-02T00:00:00.000Z";
  t.same(JSON.parse((await ask(address, "/")).body), {
    status: "faulty",
    faults: [{ side: "component", what: 'receiver "syslog"', reason: "port 514 is taken", since }],
    components: [
      { kind: "receiver", id: "syslog", state: "failed", reason: "port 514 is taken", since },
    ],
    pipelines: [],
  });
  now.agent = agentOf({ components: [receiver("running", "Listening")] });
  t.same(await statuses(), [200, 200, 200], "and green again");
});

t.test("an output that makes no progress turns / red, not /ready", async (t) => {
  const { now, address, statuses } = await started(t, { stalled_after: "1h" });
  now.agent = agentOf({ pipelines: [pipeline({ queued: 3, state: "degraded" })] });
  t.same(await statuses(), [200, 200, 200], "not at once");
  now.ms += 3_600_000;
  t.same(await statuses(), [200, 200, 503]);
  t.match(JSON.parse((await ask(address, "/")).body), {
    faults: [{ side: "output", what: 'exporter "trail"', reason: /3 records are queued/ }],
    pipelines: [{ name: "audit", exporters: [{ id: "trail", state: "degraded", queued: 3 }] }],
  });
  now.agent = agentOf({ pipelines: [pipeline({ queued: 5, position: 2, state: "running" })] });
  t.same(await statuses(), [200, 200, 200], "one batch delivered is progress, though more wait");
});

t.test("the extension looks by itself: a stall is known at the first question", async (t) => {
  const { now, address } = await started(t, { stalled_after: "50ms" });
  now.agent = agentOf({ pipelines: [pipeline({ queued: 3, state: "degraded" })] });
  let looks = 0;
  await new Promise<void>((resolve) => {
    const { pipelines } = now.agent;
    Object.defineProperty(now, "agent", {
      get: () => {
        if (++looks === 2) resolve();
        return agentOf({ pipelines });
      },
    });
  });
  now.ms += 50;
  t.equal((await ask(address, "/")).status, 503);
});

t.test("HEAD answers as GET does, without a body; all else is refused", async (t) => {
  const { now, address } = await started(t);
  t.same(await ask(address, "/", "HEAD"), { status: 200, body: "" });
  now.agent = agentOf({ state: "starting" });
  t.same(await ask(address, "/ready", "HEAD"), { status: 503, body: "" });
  t.equal((await ask(address, "/", "POST")).status, 405);
  t.equal((await ask(address, "/secrets")).status, 404);
  t.equal((await ask(address, "/ready?verbose=1")).status, 503, "a query changes nothing");
});

t.test("Faults gives a batch that fills its time, and a failing one none", async (t) => {
  const running = new Faults(1000);
  const filling = agentOf({ pipelines: [pipeline({ queued: 1 })] });
  running.look(filling, AT);
  t.same(running.look(filling, AT + 1499), []);
  t.equal(running.look(filling, AT + 1500).length, 1);
  const failing = new Faults(1000);
  const degraded = agentOf({ pipelines: [pipeline({ queued: 1, state: "degraded" })] });
  failing.look(degraded, AT);
  t.equal(failing.look(degraded, AT + 1000).length, 1);
});

t.test("Faults counts from when there was something to do", async (t) => {
  const faults = new Faults(1000);
  for (const ms of [0, 5000]) faults.look(agentOf({ pipelines: [pipeline()] }), AT + ms);
  const busy = agentOf({ pipelines: [pipeline({ queued: 1, state: "degraded" })] });
  t.same(faults.look(busy, AT + 5999), []);
  t.match(faults.look(busy, AT + 6000), [{ side: "output", since: AT + 5000 }]);
});

t.test("Faults tells an input that stays degraded, or waits for room", async (t) => {
  const faults = new Faults(1000);
  const degraded = agentOf({ components: [receiver("degraded", "no such file")] });
  t.same(faults.look(degraded, AT + 999), []);
  t.match(faults.look(degraded, AT + 1000), [{
    side: "input",
    what: 'receiver "syslog"',
    reason: "Makes no progress: no such file",
  }]);
  const queue = { blocked: true, problem: "1GiB are used" };
  const blocked = agentOf({ pipelines: [pipeline({}, queue)] });
  t.same(faults.look(blocked, AT), []);
  t.match(faults.look(blocked, AT + 1000), [{ side: "input", reason: /wait for room: 1GiB/ }]);
  faults.look(agentOf({ pipelines: [pipeline()] }), AT + 1500);
  t.same(faults.look(blocked, AT + 2000), [], "room in between begins anew");
});
