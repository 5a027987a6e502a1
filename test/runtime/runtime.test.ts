// What differs between Node and Deno, on whichever of the two this runs.

import { gunzipSync } from "node:zlib";
import t from "tap";
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
