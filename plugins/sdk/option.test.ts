// The option types: what they read and what they refuse.

import t from "tap";
import { duration, size } from "./option.ts";
import { counted, readableSize } from "./wording.ts";

t.test("duration reads single and combined spans as milliseconds", async (t) => {
  t.equal(duration.parse("500ms"), 500);
  t.equal(duration.parse("1h30m"), 5_400_000);
  t.equal(duration.parse("1.5s"), 1500);
});

t.test("duration refuses bare numbers, signs, gaps and unknown units", async (t) => {
  for (const text of ["", "5", "-5s", "5 s", "5s ", "5y", "s"]) {
    t.equal(duration.safeParse(text).success, false, text);
  }
});

t.test("size tells decimal from binary units", async (t) => {
  t.equal(size.parse("1kB"), 1000);
  t.equal(size.parse("1KiB"), 1024);
  t.equal(size.parse("1.5GiB"), 1.5 * 1024 ** 3);
  t.equal(size.safeParse("12").success, false);
  t.equal(size.parse("0"), 0, "of nothing the unit says nothing");
  t.equal(duration.parse("0"), 0);
});

t.test("counted() and readableSize() spell numbers as people say them", async (t) => {
  t.same([counted(0, "record"), counted(1, "record"), counted(2, "entry", "entries")], [
    "0 records",
    "1 record",
    "2 entries",
  ]);
  t.same([0, 512, 1536, 10_000, 104_857_600, 82_575_187_968, 2 ** 41].map(readableSize), [
    "0B",
    "512B",
    "1536B",
    "10kB",
    "100MiB",
    "76.9GiB",
    "2TiB",
  ]);
});
