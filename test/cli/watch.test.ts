// `cairn status --watch`: what is drawn on a terminal and elsewhere, and how it ends.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import t, { type Test } from "tap";
import type { Shell } from "../../src/cli/command.ts";
import { watch } from "../../src/cli/watch.ts";
import { commandOf, runtimeName, startCairn } from "../e2e/cairn.ts";

/** A shell that keeps what is written; `readers` says how many writes are read. */
function testShell(isTerminal: boolean, readers = Infinity) {
  const texts: string[] = [];
  let signal = () => {};
  const out = {
    write: (text: string) => void texts.push(text),
    taken: () => Promise.resolve(texts.length <= readers),
    isTerminal,
    isColoured: false,
  };
  const shell: Shell = {
    out,
    error: out,
    env: {},
    ask: () => Promise.resolve(undefined),
    onSignal: (listener) => {
      signal = () => listener("SIGINT");
      return () => signal = () => {};
    },
    exit: () => {
      throw new Error("exit() is not for a watch");
    },
  };
  return { shell, texts, signal: () => signal() };
}

t.test("watch() writes block after block until nobody reads", async (t) => {
  const { shell, texts } = testShell(false, 2);
  let round = 0;
  await watch(async () => `round ${++round}\n`, shell, 1);
  t.same(texts, ["round 1\n", "round 2\n", "round 3\n"]);
});

t.test("watch() draws over itself on a terminal", async (t) => {
  const { shell, texts } = testShell(true, 2);
  await watch(async () => "one\ntwo\n", shell, 1);
  const frame = "\x1b[Hone\x1b[K\ntwo\x1b[K\n\x1b[J";
  t.same(texts, ["\x1b[2J", frame, frame]);
});

t.test("watch() shows why there is nothing to show, and goes on", async (t) => {
  const { shell, texts } = testShell(false, 2);
  let round = 0;
  const draw = async () => {
    if (++round === 2) throw new Error("No agent is running");
    return `round ${round}\n`;
  };
  await watch(draw, shell, 1);
  t.same(texts, ["round 1\n", "No agent is running\n", "round 3\n"]);
  await t.rejects(watch(() => Promise.reject(new Error("never")), shell), { message: "never" });
});

t.test("watch() ends at a signal, also while the reader is stuck", async (t) => {
  const waiting = testShell(false);
  const ended = watch(
    async () => {
      queueMicrotask(waiting.signal);
      return "round\n";
    },
    waiting.shell,
    3_600_000,
  );
  await ended;
  const stuck = testShell(false);
  const out = { ...stuck.shell.out, taken: () => new Promise<boolean>(() => {}) };
  const watching = watch(async () => "round\n", { ...stuck.shell, out }, 1);
  setTimeout(stuck.signal, 1);
  await watching;
  t.same(stuck.texts, ["round\n"]);
});

async function runningAgent(t: Test): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "cairn-watch-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const config = join(folder, "cairn.yaml");
  writeFileSync(
    config,
    `agent: { data_dir: ${folder}/data }
receivers: { file: { path: ${folder}/in.jsonl, format: cloudtrail } }
exporters: { file: { path: ${folder}/out.jsonl } }
service: { pipelines: { p: { receivers: [file], exporters: [file] } } }
`,
  );
  const agent = startCairn(["run", "--config", config]);
  t.teardown(async () => {
    agent.kill("SIGTERM");
    await agent.exit;
  });
  await agent.said(/"Running"/);
  return join(folder, "data");
}

t.test("cairn status --watch ends with 0 when its reader goes and at SIGINT", async (t) => {
  const dataDir = await runningAgent(t);
  const args = ["status", "--watch", "--json", "--data-dir", dataDir];
  const [program, ...first] = commandOf(runtimeName);
  const gone = spawn(program!, [...first, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  gone.stdout.once("data", (chunk: Uint8Array) => {
    t.match(JSON.parse(new TextDecoder().decode(chunk)), { state: "running" }, "a line of JSON");
    gone.stdout.destroy();
  });
  t.equal(await new Promise((done) => gone.on("exit", done)), 0, "EPIPE");

  const people = spawn(program!, [...first, "status", "--watch", "--data-dir", dataDir], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let shown = "";
  people.stdout.on("data", (chunk: Uint8Array) => {
    shown += new TextDecoder().decode(chunk);
    // Deno's child.kill() would report the signal as the end, though the child exits by itself.
    if (shown.split("cairn ").length === 3) process.kill(people.pid!, "SIGINT");
  });
  t.equal(await new Promise((done) => people.on("exit", done)), 0, "SIGINT");
  t.match(shown, /^cairn [^]*\n\ncairn [^]*pipeline p\n/, "two blocks, a line between them");
});
