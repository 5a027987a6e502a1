// Lines out of blocks: wherever the blocks are cut, the lines are the same.

import t from "tap";
import { randomBytes, seededRandom } from "./conformance.ts";
import { LineSplitter, type LineTaker } from "./lines.ts";

const LIMIT = 64;

interface Seen {
  readonly lines: [number, string][];
  readonly rejects: [number, string, string][];
}

/** Reads bytes in blocks of random lengths, with a taker that is full now and then. */
function read(bytes: Uint8Array, random: () => number, restart = false): Seen {
  const seen: Seen = { lines: [], rejects: [] };
  const text = (part: Uint8Array) => Buffer.from(part).toString("latin1");
  const taker: LineTaker = {
    line: (line, offset) => {
      seen.lines.push([offset, text(line)]);
      return random() < 0.8;
    },
    reject: (raw, offset, reason) => {
      seen.rejects.push([offset, text(raw), reason]);
      return random() < 0.8;
    },
  };
  let splitter = new LineSplitter(LIMIT);
  let done = 0;
  for (let end = 0; end < bytes.length;) {
    end = Math.min(bytes.length, end + 1 + Math.floor(random() * 50));
    for (let used = -1; used !== done;) {
      used = done;
      done += splitter.split(bytes.slice(done, end), 0, done, taker);
    }
    if (restart) splitter = new LineSplitter(LIMIT, splitter.rest);
  }
  splitter.finish(bytes.slice(done), done, taker);
  return seen;
}

t.test("split() gives every line with its offset, however the bytes come", async (t) => {
  const random = seededRandom(1);
  for (let round = 0; round < 200; round++) {
    const lines = Array.from({ length: 20 }, () => "x".repeat(Math.floor(random() * LIMIT)));
    const ends = lines.map(() => random() < 0.3 ? "\r\n" : "\n");
    const whole = lines.map((line, i) => line + ends[i]);
    const expected = lines.map((line, i) => [whole.slice(0, i).join("").length, line])
      .filter(([, line]) => line !== "");
    const { lines: found, rejects } = read(Buffer.from(whole.join("")), random, round % 2 === 0);
    if (JSON.stringify(found) !== JSON.stringify(expected)) t.same(found, expected, `${round}`);
    t.same(rejects, []);
  }
});

t.test("split() rejects an overlong line once, with its first bytes, and reads the next", async (t) => {
  for (const length of [LIMIT + 1, 1000]) {
    for (let seed = 0; seed < 20; seed++) {
      const text = `first\n${"y".repeat(length)}\nnext\n`;
      const { lines, rejects } = read(Buffer.from(text), seededRandom(seed), seed % 2 === 0);
      t.same(lines, [[0, "first"], [6 + length + 1, "next"]]);
      t.same(rejects, [[6, "y".repeat(LIMIT), "Line is longer than 64 bytes"]]);
    }
  }
});

t.test("split() rejects NUL bytes once and reads the line behind them", async (t) => {
  for (const length of [1, 40, 500]) {
    const text = `first\n${"\0".repeat(length)}second\nthird\n`;
    const { lines, rejects } = read(Buffer.from(text), seededRandom(length));
    t.same(lines.map(([, line]) => line), ["first", "second", "third"]);
    t.equal(rejects.length, 1);
    t.equal(rejects[0]?.[1], "\0".repeat(Math.min(length, LIMIT)));
  }
});

t.test("finish() hands out a last line, and its line end later is no line", async (t) => {
  const found: string[] = [];
  const reasons: string[] = [];
  const taker: LineTaker = {
    line: (line) => Boolean(found.push(Buffer.from(line).toString())),
    reject: (_raw, _offset, reason) => Boolean(reasons.push(reason)),
  };
  const splitter = new LineSplitter(LIMIT);
  splitter.finish(Buffer.from("whole"), 0, taker);
  splitter.split(Buffer.from("\nnext\n"), 0, 5, taker);
  t.same([found, reasons], [["whole", "next"], []]);
  splitter.finish(Buffer.from("ha"), 11, taker);
  new LineSplitter(LIMIT, splitter.rest).split(Buffer.from("lf\nlast\n"), 0, 13, taker);
  t.same(found, ["whole", "next", "ha", "last"]);
  t.match(reasons, [/^Rest of a line/], "what follows a half line is set aside");
});

t.test("split() takes any bytes, and none of them twice", async (t) => {
  const random = seededRandom(9);
  for (let round = 0; round < 300; round++) {
    const bytes = randomBytes(random, 400).map((byte) => byte < 40 ? byte % 11 : byte);
    const { lines, rejects } = read(bytes, random);
    const offsets = [...lines, ...rejects].map(([offset]) => offset).sort((a, b) => a - b);
    t.equal(new Set(offsets).size, offsets.length);
    for (const [offset, line] of lines) {
      const there = Buffer.from(bytes.subarray(offset, offset + line.length)).toString("latin1");
      if (there !== line) t.equal(line, there);
    }
  }
});
