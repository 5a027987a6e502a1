// The agent's own log: one line a record, for people or for machines.

import t from "tap";
import { createLogs } from "../../src/telemetry/logs.ts";

function logTo(texts: string[], readable: boolean, level: "debug" | "warn" = "debug") {
  return createLogs({ level, readable, stream: { write: (text: string) => texts.push(text) } });
}

t.test("a log off the terminal is JSON lines", async (t) => {
  const texts: string[] = [];
  logTo(texts, false).of("trail").warn("Disk is slow", { ms: 1200 });
  t.match(JSON.parse(texts[0]!), {
    time: /^\d{4}-.*Z$/,
    level: "warn",
    component: "trail",
    message: "Disk is slow",
    attributes: { ms: 1200 },
  });
});

t.test("a log on a terminal is readable, and nothing in it steers the terminal", async (t) => {
  const texts: string[] = [];
  logTo(texts, true).of("trail").info("Evil \x1b[2J\nname", { path: "a b" });
  t.match(texts[0], /^[\d:.]{12} INFO {2}trail: Evil \\x1b\[2J name path="a b"\n$/);
});

t.test("a log leaves out what is below its level", async (t) => {
  const texts: string[] = [];
  const log = logTo(texts, false, "warn").of("x");
  log.debug("no");
  log.info("no");
  log.error("yes");
  t.equal(texts.length, 1);
});
