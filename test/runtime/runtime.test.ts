// What differs between Node and Deno, on whichever of the two this runs.

import { spawn } from "node:child_process";
import { gunzipSync } from "node:zlib";
import t from "tap";
import { until } from "../../plugins/sdk/conformance.ts";
import { gzipPieces } from "../../plugins/sdk/gzip-pieces.ts";
import { createDenoRuntime } from "../../src/runtime/deno.ts";
import { createNodeRuntime } from "../../src/runtime/node.ts";
import { detectRuntime } from "../../src/runtime/runtime.ts";

t.test("gzip() joins its chunks, and the same input gives the same bytes", async (t) => {
  const runtime = await detectRuntime();
  const chunks = [Buffer.from("a".repeat(100_000)), Buffer.from("é")];
  const [first, second] = await Promise.all([runtime.gzip(chunks), runtime.gzip(chunks)]);
  t.same(Buffer.from(first!), Buffer.from(second!));
  t.equal(gunzipSync(first!).toString(), `${"a".repeat(100_000)}é`);
  t.equal(chunks[0]!.length, 100_000, "the chunks stay the caller's");
  t.same(gunzipSync(await runtime.gzip([])), Buffer.alloc(0));
});

t.test("deflate() gives blocks that join to one gzip file, the same each time", async (t) => {
  const runtime = await detectRuntime();
  const pieces = [Buffer.alloc(300_000, "a line of text\n"), Buffer.from("é"), Buffer.alloc(0)];
  const zip = async (of: readonly Uint8Array[]) => {
    const zipped: Uint8Array[] = [];
    for await (const part of gzipPieces(runtime, of, 6)) zipped.push(part);
    return Buffer.concat(zipped);
  };
  const [first, second] = await Promise.all([zip(pieces), zip(pieces)]);
  t.ok(first!.equals(second!));
  t.ok(gunzipSync(first!).equals(Buffer.concat(pieces)));
  t.equal(gunzipSync(await zip([])).length, 0);
});

const DATAGRAMS = 20_000;
// What the kernel's buffer surely holds; the next ones are sent when these have arrived.
const WINDOW = 100;
const SENDER = `
const [port, window] = process.argv.slice(1).map(Number);
const socket = require("node:dgram").createSocket("udp4");
let sent = 0;
process.stdin.on("data", () => {
  for (let i = 0; i < window; i++) socket.send("message number " + sent++, port, "127.0.0.1");
});
process.stdin.on("end", () => {
  socket.send(Buffer.alloc(60000, "x"), port, "127.0.0.1", () => socket.close());
});
`;

t.test("datagrams() hands over each of 20,000 datagrams, and who sent them", async (t) => {
  const { datagrams } = await detectRuntime();
  const seen = new Set<string>();
  const peers = new Set<string>();
  let bytesMax = 0;
  const socket = await datagrams({ host: "127.0.0.1", port: 0 }, {
    message(bytes, peer) {
      seen.add(new TextDecoder().decode(bytes.subarray(0, 30)));
      peers.add(peer);
      bytesMax = Math.max(bytesMax, bytes.length);
    },
    failed: (error) => t.fail(error.message),
  });
  t.teardown(() => socket.close());
  const port = socket.address.slice(socket.address.lastIndexOf(":") + 1);
  // Another process sends: one that also reads would wait for itself.
  const sender = spawn("node", ["-e", SENDER, port, `${WINDOW}`], { stdio: ["pipe", 1, 2] });
  const ended = new Promise((resolve) => sender.on("close", resolve));
  for (let expected = WINDOW; expected <= DATAGRAMS; expected += WINDOW) {
    sender.stdin!.write("more");
    await until(() => seen.size === expected, `${expected} datagrams`);
  }
  sender.stdin!.end();
  t.equal(await ended, 0);
  await until(() => seen.size === DATAGRAMS + 1, "the last one");
  t.same([...peers], ["127.0.0.1"]);
  t.equal(bytesMax, 60_000, "long ones arrive whole");
  socket.close();
  socket.close();
});

t.test("datagrams() rejects an address that cannot be had", async (t) => {
  const { datagrams } = await detectRuntime();
  const taker = { message: () => {}, failed: () => {} };
  const first = await datagrams({ host: "127.0.0.1", port: 0 }, taker);
  t.teardown(() => first.close());
  const port = Number(first.address.slice(first.address.lastIndexOf(":") + 1));
  await t.rejects(datagrams({ host: "127.0.0.1", port }, taker), /EADDRINUSE|in use/i);
});

t.test("gzip() on Deno goes on after its worker ended for want of work", async (t) => {
  if (!("Deno" in globalThis)) {
    return t.equal((await createNodeRuntime().gzip([Buffer.from("x")])).length > 0, true);
  }
  const runtime = createDenoRuntime({ idleMs: 1 });
  for (let round = 0; round < 3; round++) {
    t.equal(gunzipSync(await runtime.gzip([Buffer.from(`${round}`)])).toString(), `${round}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
});
