// Streams cut into messages as RFC 6587 has them, however they arrive.

import fc from "fast-check";
import t from "tap";
import { type FrameOptions, FrameSplitter } from "./frames.ts";

interface Cut {
  /** Messages and their offsets. */
  readonly frames: string[];
  readonly rejects: string[];
  readonly splitter: FrameSplitter;
}

const LIMIT = 40;

/** Cuts a stream that arrives in these pieces; the taker stops after every `pauseEvery` items. */
function cut(
  pieces: readonly (string | Uint8Array)[],
  options: Partial<FrameOptions> & { readonly inOrder?: boolean; readonly pauseEvery?: number } =
    {},
): Cut {
  const { inOrder = true, pauseEvery = Infinity, ...rest } = options;
  const frames: string[] = [];
  const rejects: string[] = [];
  const more = () => (frames.length + rejects.length) % pauseEvery !== 0;
  const splitter = new FrameSplitter(
    { framing: "auto", frameBytesMax: LIMIT, endsAtNul: false, ...rest },
    {
      frame: (bytes, offset) => {
        frames.push(`${offset}:${Buffer.from(bytes).toString("latin1")}`);
        return more();
      },
      reject: (bytes, offset, reason) => {
        rejects.push(`${offset}:${Buffer.from(bytes).toString("latin1")}: ${reason}`);
        return more();
      },
    },
  );
  let base = 0;
  for (const piece of pieces) {
    const bytes = typeof piece === "string" ? Buffer.from(piece, "latin1") : piece;
    for (let at = 0; at < bytes.length;) at = splitter.feed(bytes, at, base);
    base += bytes.length;
  }
  splitter.end(inOrder);
  return { frames, rejects, splitter };
}

t.test("feed() tells octet counting from line ends, frame by frame", async (t) => {
  const { frames, rejects } = cut(["<1>a\n5 <2>b\n6 <3>c\nd<4>e\r\n\n3 xyz3 abc\n<5>f"]);
  t.same(frames, ["0:<1>a", "5:<2>b\n", "12:<3>c\nd", "20:<4>e", "27:xyz", "32:abc", "38:<5>f"]);
  t.same(rejects, []);
});

t.test("feed() takes digits that are no length for the text they are", async (t) => {
  t.same(cut(["2026-10-11T22:14:15Z h a: b\n12\n0 a\n1234567890 x\n"]).frames, [
    "0:2026-10-11T22:14:15Z h a: b",
    "28:12",
    "31:0 a",
    "35:1234567890 x",
  ]);
  t.same(cut(["3 abc\n"], { framing: "newline" }).frames, ["0:3 abc"]);
});

t.test("feed() cuts what is too long, rejects it and goes on behind it", async (t) => {
  const long = "x".repeat(100);
  const { frames, rejects } = cut([`<${long}\n<1>a\n101 ${long}y<2>b\n`]);
  t.same(frames, ["102:<1>a", "212:<2>b"]);
  t.same(rejects, [
    `0:<${"x".repeat(39)}: Message is longer than 40 bytes`,
    `107:${"x".repeat(40)}: Message is longer than 40 bytes`,
  ]);
  t.same(cut([`${"x".repeat(40)}\r\n`]).frames.length, 1, "the line end does not count");
  t.same(cut([`${"x".repeat(41)}\n`]).frames.length, 0);
});

t.test("feed() looks at nothing behind a length that nobody can mean", async (t) => {
  const { frames, rejects, splitter } = cut(["<1>a\n999999999 <2>b\n<3>c\n", "<4>d\n"]);
  t.same(frames, ["0:<1>a"]);
  t.match(rejects, [/^5:999999999 <2>b.*: Message of 999999999 bytes: the limit is 40$/s]);
  t.equal(splitter.isBroken, false, "end() makes room for the next stream");
  const counted = cut(["<1>a\n"], { framing: "octet_counting" });
  t.same(counted.rejects, ["0:<1>a\n: Message does not begin with its length"]);
});

t.test("feed() ends messages of local sockets at NUL, others not", async (t) => {
  t.same(cut(["<1>a\0<2>b\n\0<3>c"], { endsAtNul: true }).frames, ["0:<1>a", "5:<2>b", "11:<3>c"]);
  t.same(cut(["<1>a\0b\n"]).frames, ["0:<1>a\0b"]);
});

t.test("end() hands out a last line, and rejects what broke off", async (t) => {
  t.same(cut(["<1>a"]).frames, ["0:<1>a"]);
  t.same(cut(["12"]).frames, ["0:12"]);
  t.same(cut(["<1>a"], { inOrder: false }).rejects, [
    "0:<1>a: Connection broke off within a message",
  ]);
  t.same(cut(["9 <1>a"]).rejects, ["0:<1>a: Connection ended 5 bytes before its message did"]);
  t.same(cut(["9 "]).rejects, ["0:9 : Connection ended 9 bytes before its message did"]);
  t.same(cut(["", "\n"]).rejects, []);
});

const message = fc.string({ unit: fc.constantFrom(..."ab<>19 "), maxLength: 60 });
const stream = fc.array(
  fc.oneof(
    message.map((text) => `<${text}\n`),
    message.map((text) => `${text.length + 1} <${text}`),
    fc.string({ unit: fc.constantFrom(..."a19 \n\r\0"), maxLength: 12 }),
  ),
  { maxLength: 12 },
).map((frames) => frames.join(""));

t.test("feed() finds the same in a stream however it is cut and interrupted", async (t) => {
  const whole = (text: string, options = {}) => {
    const { frames, rejects } = cut([text], options);
    return { frames, rejects };
  };
  fc.assert(
    fc.property(stream, fc.array(fc.nat(30)), fc.boolean(), (text, sizes, endsAtNul) => {
      const pieces: string[] = [];
      let at = 0;
      for (const size of sizes) pieces.push(text.slice(at, at += size));
      pieces.push(text.slice(at));
      const found = cut(pieces, { endsAtNul, pauseEvery: 2 });
      t.same({ frames: found.frames, rejects: found.rejects }, whole(text, { endsAtNul }));
    }),
    { numRuns: 300 },
  );
});

t.test("feed() of a megabyte in single bytes takes no longer than its bytes", async (t) => {
  const bytes = Buffer.alloc(1_000_000, "x");
  const begin = performance.now();
  const single = Array.from(bytes, (_, i) => bytes.subarray(i, i + 1));
  const { frames } = cut(single, { frameBytesMax: 2_000_000 });
  t.equal(frames.length, 1);
  t.ok(performance.now() - begin < 5000);
});
