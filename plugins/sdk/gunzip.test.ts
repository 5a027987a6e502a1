// Gzip undone in blocks: whole, put together, cut and damaged.

import t from "tap";
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { gzipSync } from "node:zlib";
import { gunzipBlocks, GunzipError, isGzip } from "./gunzip.ts";

const text = randomBytes(60_000).toString("hex").repeat(4);

async function gunzip(bytes: Uint8Array, size = 10_000): Promise<[string, unknown]> {
  const blocks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) blocks.push(bytes.subarray(at, at + size));
  const found: Uint8Array[] = [];
  try {
    for await (const block of gunzipBlocks(blocks)) found.push(block);
  } catch (error) {
    return [Buffer.concat(found).toString(), error];
  }
  return [Buffer.concat(found).toString(), undefined];
}

t.test("gunzipBlocks gives the text, whatever the blocks", async (t) => {
  const bytes = gzipSync(text);
  t.ok(isGzip(bytes));
  for (const size of [997, 16 * 1024, 1_000_000]) {
    const [found, error] = await gunzip(bytes, size);
    t.equal(found === text, true, `blocks of ${size}`);
    t.equal(error, undefined);
  }
});

t.test("gunzipBlocks reads files put together of several", async (t) => {
  const bytes = Buffer.concat([gzipSync("one "), gzipSync("two")]);
  t.strictSame(await gunzip(bytes), ["one two", undefined]);
});

t.test("gunzipBlocks gives what comes before a cut, and says it was cut", async (t) => {
  const bytes = gzipSync(text);
  for (const length of [bytes.length >> 1, bytes.length - 9, bytes.length - 1, 10]) {
    const [found, error] = await gunzip(bytes.subarray(0, length));
    t.ok(text.startsWith(found), "a beginning");
    t.ok(found.length >= text.length * (length / bytes.length) * 0.5 - 40_000, `${found.length}`);
    t.ok(error instanceof GunzipError && error.cut, String(error));
  }
});

t.test("gunzipBlocks tells damage from a cut", async (t) => {
  const bytes = gzipSync(text);
  bytes[bytes.length >> 1]! ^= 0xff;
  const [found, error] = await gunzip(bytes);
  t.ok(
    text.startsWith(found.slice(0, 1000)) && found.length > 10_000,
    `${found.length} bytes came`,
  );
  t.ok(error instanceof GunzipError && !error.cut, String(error));
  const checksum = gzipSync(text);
  checksum[checksum.length - 6]! ^= 1;
  t.match((await gunzip(checksum))[1], { message: "Gzip data is damaged" });
  const [none, other] = await gunzip(Buffer.from("no gzip at all"));
  t.equal(none, "");
  t.ok(other instanceof GunzipError && !other.cut, String(other));
});
