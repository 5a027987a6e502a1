// Extension health in a running agent: an exporter that is stalled, a receiver that fails, both mended.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { z } from "zod";
import health from "../../plugins/extensions/health/index.ts";
import { until } from "../../plugins/sdk/conformance.ts";
import { defineExporter, type Host, RetryableError } from "../../plugins/sdk/index.ts";
import { createAgent } from "../../src/agent/agent.ts";
import type { ResolvedConfig } from "../../src/config/resolved.ts";
import { detectRuntime } from "../../src/runtime/runtime.ts";
import { event, recordingLogs, testConfig } from "./plugins.ts";

const runtime = await detectRuntime();

/** A running agent whose exporter can be taken away, and how to ask it. */
async function setUp(t: Test) {
  const dataDir = mkdtempSync(join(tmpdir(), "cairn-health-"));
  t.teardown(() => rmSync(dataDir, { recursive: true, force: true }));
  const held: { host?: Host; isDown: boolean } = { isDown: true };
  const base = testConfig(dataDir, { entries: [], exported: [] }, {
    receiver: {
      start: (host) => void (held.host = host),
      drain: (intake) => intake.events([event("1")]),
    },
  });
  const sink = base.exporters.get("sink")!;
  const exporter = defineExporter({
    ...sink.factory,
    config: z.strictObject({}),
    create: () => ({
      start: () => Promise.resolve(),
      stop: () => Promise.resolve(),
      export: async () => {
        if (held.isDown) throw new RetryableError("No route to host");
      },
    }),
  });
  const options = health.config.parse({ endpoint: "127.0.0.1:0", stalled_after: "100ms" });
  const config: ResolvedConfig = {
    ...base,
    exporters: new Map([["sink", { ...sink, factory: exporter }]]),
    extensions: new Map([["health", { id: "health", factory: health, config: options }]]),
  };
  const { logs } = recordingLogs();
  const agent = createAgent(config, { version: "0.0.0", logs, runtime });
  t.teardown(() => agent.stop(AbortSignal.timeout(2000)));
  await agent.start();
  const { reason } = agent.status().components.find(({ id }) => id === "health")!;
  const address = /127\.0\.0\.1:\d+/.exec(reason!)![0];
  const status = async (path: string) => {
    const answer = await fetch(`http://${address}${path}`, { headers: { connection: "close" } });
    await answer.text();
    return answer.status;
  };
  return { agent, held, status };
}

t.test("a stalled exporter turns the agent's health red, and green when it delivers", async (t) => {
  const { agent, held, status } = await setUp(t);
  t.equal(await status("/"), 200);
  const drained = agent.drained();
  await until(async () => await status("/") === 503, "health is red");
  t.equal(await status("/ready"), 200, "events are still taken in");
  t.equal(await status("/live"), 200);
  held.isDown = false;
  await drained;
  t.equal(await status("/"), 200);
});

t.test("a receiver that fails turns the agent's health red until it works again", async (t) => {
  const { held, status } = await setUp(t);
  held.host!.report("failed", "The journal is gone");
  t.same([await status("/live"), await status("/ready"), await status("/")], [200, 503, 503]);
  held.host!.report("running");
  t.same([await status("/live"), await status("/ready"), await status("/")], [200, 200, 200]);
});
