// The console over a large history: how long the first view takes in a browser that has nothing of it
// yet, and what an agent with api, history and console holds in memory.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { percentile } from "./machine.ts";
import { runOnce, type RuntimeName, startAgent } from "./process.ts";
import { writeJsonLines } from "./sample-data.ts";

const ROUNDS = 10;
const CHROMIUM = "/usr/bin/chromium";

// The sample records are of one day, which may be any.
const RETENTION_DAYS = 3650;

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

function configuration(folder: string, input: string, port?: number): string {
  const extensions = port === undefined ? "" : "api, console";
  return [
    `agent: { account_id: "111122223333", region: eu-central-1, data_dir: ${folder}/data }`,
    `receivers: { file: { path: ${input}, format: cloudtrail, start_at: beginning } }`,
    `exporters: { history: { retention_days: ${RETENTION_DAYS} } }`,
    `extensions: { api: { endpoint: "127.0.0.1:0" }, ` +
    `console: { endpoint: "127.0.0.1:${port ?? 0}" } }`,
    `service: { extensions: [${extensions}], pipelines: { p: { receivers: [file], ` +
    "exporters: [history] } } }",
  ].join("\n");
}

/** Measures one runtime; prints as it goes. */
export async function measureConsole(runtime: RuntimeName, records: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "cairn-bench-"));
  try {
    const input = await writeJsonLines(folder, records);
    await runOnce(runtime, configuration(folder, input), folder);
    mkdirSync(join(folder, "none"));
    const path = join(folder, "console.yaml");
    const port = await freePort();
    const origin = `http://127.0.0.1:${port}`;
    writeFileSync(path, configuration(folder, join(folder, "none/*.jsonl"), port));
    const agent = await startAgent(runtime, path);
    const before = rssMib(agent.pid);
    const { pictures, views, histograms } = await view(origin);
    const after = rssMib(agent.pid);
    const begin = performance.now();
    const bytes = await download(origin);
    const seconds = (performance.now() - begin) / 1000;
    console.log(
      `console         ${runtime}  ${records.toLocaleString("en")} events: first view p50 ` +
        `${percentile(views, 0.5).toFixed(0)} ms, longest ${Math.max(...views).toFixed(0)} ms; ` +
        `with histogram p50 ${percentile(histograms, 0.5).toFixed(0)} ms, a picture alone ` +
        `${percentile(pictures, 0.5).toFixed(0)} ms\n` +
        `  CSV of all: ${(bytes / 2 ** 20).toFixed(0)} MiB in ${seconds.toFixed(1)} s; RSS ` +
        `${before} MiB idle, ${after} after the views, ${rssMib(agent.pid)} after the download`,
    );
    await agent.stop();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Views {
  /** A picture alone: what the browser itself takes. */
  readonly pictures: number[];
  readonly views: number[];
  readonly histograms: number[];
}

async function view(origin: string): Promise<Views> {
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
  const pictures: number[] = [];
  const views: number[] = [];
  const histograms: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    // Each context has a cache of its own, with nothing in it.
    const context = await browser.newContext();
    const page = await context.newPage();
    const first = performance.now();
    await page.goto(`${origin}/cairn.svg`);
    pictures.push(performance.now() - first);
    const begin = performance.now();
    await page.goto(origin);
    await page.waitForSelector(".events tbody tr:not(.placeholder)");
    views.push(performance.now() - begin);
    await page.waitForSelector(".column", { state: "attached" });
    histograms.push(performance.now() - begin);
    await context.close();
  }
  await browser.close();
  return { pictures, views, histograms };
}

async function download(origin: string): Promise<number> {
  const answer = await fetch(`${origin}/api/download?form=csv`);
  let bytes = 0;
  for await (const chunk of answer.body!) bytes += chunk.length;
  return bytes;
}

function rssMib(pid: number): string {
  const kilobytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1];
  return (Number(kilobytes) / 1024).toFixed(0);
}
