// What the log hears of a queue in trouble: once when it gets worse, once when it has calmed down.

import { join } from "node:path";
import t from "tap";
import { Pipeline } from "../../src/pipeline/pipeline.ts";
import { QueueWatch } from "../../src/pipeline/queue-watch.ts";
import { realFiles } from "../../src/queue/files.ts";
import { agent } from "./agent.ts";
import { patience, until } from "./way-in.ts";

/** A log that keeps its lines with what they are about. */
function fullLog() {
  const said: string[] = [];
  const at = (level: string) => (message: string, about: object = {}) => {
    said.push(`${level} ${message} ${JSON.stringify(about)}`);
  };
  return {
    said,
    log: { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") },
  };
}

t.test("QueueWatch says once that a queue blocks, however often it blocks and goes on", async (t) => {
  const { said, log } = fullLog();
  const watch = new QueueWatch(log, { pipeline: "main" }, 20);
  for (let i = 0; i < 50; i++) {
    watch.changed({ blocked: true, problem: "Disk is full" });
    watch.changed({ blocked: false, problem: undefined });
  }
  t.same(said, [
    'error Queue takes no more, receivers wait {"pipeline":"main","reason":"Disk is full"}',
  ]);
  await until(() => said.length === 2);
  t.equal(said[1], 'info Queue works again {"pipeline":"main"}');
  watch.changed({ blocked: false, problem: "Cannot look" });
  t.match(said[2], /^warn Queue has a problem and goes on .*Cannot look/);
  watch.changed({ blocked: true, problem: "Disk is full" });
  t.match(said[3], /^error /, "worse is said at once");
  watch.changed({ blocked: false, problem: "Cannot look" });
  await until(() => said.length === 5);
  t.match(said[4], /^warn .*Cannot look/, "what remains is said");
  watch.stop();
  watch.changed({ blocked: true, problem: "Disk is full" });
  t.equal(said.length, 5, "silent when stopped");
});

t.test("a pipeline whose disk cannot be measured stores, is degraded and says why", async (t) => {
  const { said, log } = fullLog();
  const folder = t.testdir();
  const pipeline = await Pipeline.open({
    name: "main",
    directory: join(folder, "queue"),
    deadLettersDirectory: join(folder, "dead-letters"),
    queue: { bytesMax: 1 << 20, freeDiskBytesMin: 1, overflow: "block" },
    agent,
    clock: Date.now,
    log,
    processors: [],
    files: { ...realFiles, freeBytes: () => Promise.reject(new Error("Requires sys access")) },
  });
  t.equal(pipeline.status().state, "running");
  const raw = new TextEncoder().encode("no record");
  await pipeline.intake("file").reject(raw, "unreadable", { id: "1" });
  t.match(pipeline.status(), {
    state: "degraded",
    queue: { blocked: false, problem: /Requires sys access; going on without/ },
    counts: { rejected: 1 },
  });
  const warned = said.filter((line) => line.startsWith("warn Queue has a problem"));
  t.equal(warned.length, 2, "the queue and the dead letters, once each");
  t.match(warned.join(), /"queue":"dead letters".*"pipeline":"main"/);
  await pipeline.stop(patience());
});
