// Format syslog: frames to events, and the samples of others with the parse that comes with them.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import t, { type Test } from "tap";
import { conformance, testContext } from "../../sdk/conformance.ts";
import { type AuditEvent, type FramePosition, RejectedInput } from "../../sdk/index.ts";
import { parseSyslogMessage } from "../../sdk/syslog-message.ts";
import syslog from "./index.ts";

const RECEIVED = Date.UTC(2026, 9, 11, 22, 14, 20);
const SUDO = "alice : TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/id";

const FRAMES = [
  `2026-10-11T22:14:15.123456+02:00 web-02 sudo:    ${SUDO}`,
  "<86>1 2026-10-11T22:14:16Z web-02 sshd 42 - - Accepted password for bob from 192.0.2.7 port 22 ssh2",
  "2026-10-11T22:14:17+02:00 web-02 useradd[7]: new user: name=eve, UID=1002, GID=1002, home=/home/eve, shell=/bin/sh, from=/dev/pts/0",
  "2026-10-11T22:14:18+02:00 web-02 nobody-knows: hello",
].map((line) => new TextEncoder().encode(line));

await conformance(t, syslog, { minimal: {}, frames: FRAMES });

function make(config: Record<string, unknown> = {}) {
  const context = testContext();
  const format = syslog.create(syslog.config.parse(config), context);
  const decode = (line: string, at: Partial<FramePosition> = {}): AuditEvent | undefined => {
    const where = { source: "s", offset: 7, receivedAt: RECEIVED, ...at };
    const decoded = format.decode(new TextEncoder().encode(line), where);
    return "events" in decoded ? decoded.events[0] : undefined;
  };
  return { decode, ignored: context.ignoredCounts };
}

t.test("decode() gives a program's event its time, host, id and process", async (t) => {
  const { decode } = make({ timezone: "Europe/Berlin" });
  const event = decode("<86>Oct 11 22:14:15 web-02 sudo[9]: " + SUDO);
  t.match(event, {
    ...{ id: "s:7", time: Date.UTC(2026, 9, 11, 20, 14, 15), service: "sudo", host: "web-02" },
    ...{ action: "AssumeRole", actor: { assumedBy: { name: "alice" } } },
    additional: { processId: "9" },
  });
});

t.test("decode() names a host only where it is not the agent's own", async (t) => {
  const { decode } = make();
  const host = (name: string, peer?: string) =>
    decode(`<86>Oct 11 22:14:15 ${name}sudo: ${SUDO}`, { peer })?.host;
  t.equal(host("web-01 "), undefined, "the agent's own");
  t.equal(host("web-01.example.com "), undefined, "the agent's own, with its domain");
  t.equal(host("web-010 "), "web-010");
  t.equal(host(""), undefined, "a line that names none");
  t.equal(host("", "192.0.2.9"), "192.0.2.9", "its sender, where a message names none");
  t.equal(host("localhost ", "192.0.2.9"), "192.0.2.9");
  t.equal(host("localhost ", "127.0.0.1"), undefined);
  t.equal(host("db-01 ", "192.0.2.9"), "db-01", "what a relay passes on");
});

t.test("decode() counts what it leaves out", async (t) => {
  const { decode, ignored } = make();
  for (const line of ["", " \r", "\tgoes on", "Oct 11 22:14:15 h nobody: x"]) decode(line);
  t.same(ignored, {
    "blank line": 2,
    "continued line": 1,
    "not audited: program without parser": 1,
  });
  t.throws(() => decode("Header1: abc"), RejectedInput);
});

t.test("an unknown time zone is refused", async (t) => {
  const answer = syslog.config.safeParse({ timezone: "Europe/Berlni" });
  t.match(answer.error?.issues[0]?.message, /^Unknown time zone "Europe\/Berlni": expected local/);
});

/** What a log captured by test/capture/syslog.sh tells, a line an event. */
function captured(name: string): string[] {
  const path = join(dirname(fileURLToPath(import.meta.url)), "testdata", name);
  const { decode } = make({ timezone: "UTC" });
  const receivedAt = Date.UTC(2026, 10, 22, 13);
  return readFileSync(path, "utf8").trimEnd().split("\n").flatMap((line, offset) => {
    const event = decode(line, { offset, receivedAt });
    if (event === undefined) return [];
    const { action, outcome, time, host, resources } = event;
    const actor = event.actor.type === "role"
      ? event.actor.assumedBy
      : event.actor.type === "user"
      ? event.actor.name
      : event.actor.type;
    const names = (resources ?? []).map((resource) => resource.name);
    const at = new Date(time).toISOString().slice(0, 19);
    return [JSON.stringify({ at, host, action, actor, names, success: outcome.success })];
  });
}

t.test("a day of a real host reads the same in every header that rsyslog writes", async (t) => {
  const expected = captured("file.log");
  for (const name of ["file-iso.log", "iso.log", "rfc3164.log", "rfc5424.log"]) {
    t.same(captured(name), expected, name);
  }
  const events = expected.map((text) => JSON.parse(text) as Record<string, unknown>);
  const count = (action: string, success = true) =>
    events.filter((event) => event.action === action && event.success === success).length;
  t.ok(events.every(({ host }) => host === "web-02"));
  t.equal(count("CreateUser"), 2);
  t.equal(count("DeleteUser"), 2);
  t.equal(count("CreateGroup"), 3, "deploy, and those of the users");
  t.equal(count("AddUserToGroup"), 1);
  t.equal(count("RemoveUserFromGroup"), 1);
  t.equal(count("ChangePassword"), 2);
  t.equal(count("UserLogin"), 1, "alice over ssh");
  t.ok(count("UserLogin", false) >= 2, "bob and mallory");
  t.equal(count("AssumeRole"), 3, "sudo, and su twice");
  t.equal(count("AssumeRole", false), 1, "su with a wrong password");
});

function samples(): string {
  let root = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(root, "package.json"))) root = dirname(root);
  return join(process.env.CAIRN_SAMPLES ?? join(root, "../shared/samples"), "syslog");
}

/** Skips where the samples are not, except in CI. */
function hasSamples(t: Test): boolean {
  if (existsSync(samples())) return true;
  if (process.env.CI) t.fail("the samples are missing");
  else t.pass("the samples are not on this machine", { skip: true });
  return false;
}

function linesOf(name: string): string[] {
  return readFileSync(join(samples(), name), "utf8").split("\n").filter((line) => line !== "");
}

t.test("CrowdSec's own tests expect the same programs, processes and texts", async (t) => {
  if (!hasSamples(t)) return;
  const folder = join(samples(), "crowdsec-hub");
  const wrong: string[] = [];
  let compared = 0;
  for (const name of readdirSync(folder).filter((name) => name.endsWith("__parser.assert"))) {
    const test = name.replace("__parser.assert", "");
    const log = readdirSync(folder).find((file) =>
      file.startsWith(`${test}__`) && file.endsWith(".log")
    );
    const lines = log === undefined ? [] : linesOf(`crowdsec-hub/${log}`);
    const stage = String.raw`results\["s00-raw"\]\["crowdsecurity/syslog-logs"\]`;
    const pattern = new RegExp(
      String.raw`^${stage}\[(\d+)\]\.Evt\.Parsed\["(program|pid|message)"\] == (".*")$`,
      "gm",
    );
    const asserts = readFileSync(join(folder, name), "utf8");
    for (const [, index, key, text] of asserts.matchAll(pattern)) {
      const line = lines[Number(index)];
      // An expectation without a line of ours: the file holds what did not parse, too.
      if (line === undefined || !/^(<|[A-Z][a-z]{2} )/.test(line)) continue;
      const message = parseSyslogMessage(Buffer.from(line), { receivedAt: RECEIVED });
      const found = { program: message.program, pid: message.pid ?? "", message: message.text };
      const expected = String(JSON.parse(text!.replace(/\\'/g, "'")));
      // RFC 5424 spells "none" with a dash, which CrowdSec keeps.
      const same = found[key as keyof typeof found].trim() === expected.trim().replace(/^-$/, "");
      compared++;
      if (!same) wrong.push(`${name} ${index} ${key}: ${JSON.stringify(found)} for ${expected}`);
    }
  }
  t.same(wrong, []);
  t.ok(compared > 200, `${compared} expectations`);
});

interface JcMessage {
  readonly unparsable?: string;
  readonly hostname?: string | null;
  readonly tag?: string | null;
  readonly content?: string | null;
  readonly appname?: string | null;
  readonly proc_id?: number | string | null;
  readonly message?: string | null;
}

t.test("jc reads the same messages as we do, and cannot read the same", async (t) => {
  if (!hasSamples(t)) return;
  for (const name of ["syslog-3164", "syslog-5424"]) {
    const expected = JSON.parse(linesOf(`jc/${name}.json`).join("\n")) as JcMessage[];
    const lines = linesOf(`jc/${name}.out`).filter((line) => line.trim() !== "");
    t.equal(lines.length, expected.length);
    for (const [i, line] of lines.entries()) {
      const want = expected[i]!;
      let found: ReturnType<typeof parseSyslogMessage> | undefined;
      try {
        found = parseSyslogMessage(Buffer.from(line), { receivedAt: RECEIVED });
      } catch (error) {
        if (!(error instanceof RejectedInput)) throw error;
      }
      // A priority alone is enough for RFC 3164 (4.3.2), not for jc.
      if (line === "<7>unparsable line") continue;
      t.equal(found === undefined, want.unparsable !== undefined, line);
      // A first word that ends in a colon is a tag to us, a host to jc.
      if (found === undefined || !want.hostname || want.tag === null) continue;
      if (name === "syslog-5424" && !/^(<\d+>)?\d+ /.test(line)) continue;
      const program = name === "syslog-5424" ? want.appname ?? "" : want.tag ?? "";
      t.equal(found.program.replace("(pam_unix)", "") || program, program, line);
    }
  }
});

t.test("of the sample logs, only what is no syslog message is rejected", async (t) => {
  if (!hasSamples(t)) return;
  // JSON, PostgreSQL's and Dropbear's own lines, French months, and what jc has to refuse.
  const notSyslog = /docker-logs|dropbear|pgsql|muxed|_fr\.0|with_header|jc/;
  for (const folder of readdirSync(samples())) {
    if (/\.(md|tsv)$/.test(folder)) continue;
    for (const file of readdirSync(join(samples(), folder))) {
      if (!/\.(log|out|\d)$/.test(file)) continue;
      const { decode, ignored } = make();
      const counts = { events: 0, rejected: 0 };
      const lines = linesOf(`${folder}/${file}`);
      for (const [offset, line] of lines.entries()) {
        try {
          if (decode(line, { offset }) !== undefined) counts.events++;
        } catch (error) {
          if (!(error instanceof RejectedInput)) throw error;
          counts.rejected++;
        }
      }
      const left = Object.values(ignored).reduce((sum, count) => sum + count, 0);
      t.equal(counts.events + counts.rejected + left, lines.length, `${file}: all accounted for`);
      if (!notSyslog.test(`${folder}/${file}`)) {
        t.equal(counts.rejected, 0, `${file}: none rejected`);
      }
    }
  }
});
