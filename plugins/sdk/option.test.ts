// The option types: what they read and what they refuse.

import t from "tap";
import { duration, size } from "./option.ts";

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
});
