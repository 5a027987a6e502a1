// Other people's logs, and CrowdSec's own reading of them to compare with: who, from where, and that
// it failed. Read where they are; see their README for what they are.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import t from "tap";
import type { AuditEvent } from "../event.ts";
import { parseSyslogMessage } from "../syslog-message.ts";
import { describeProgram, type ProgramMessage } from "./index.ts";

function samplesFolder(): string | undefined {
  let root = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(root, "package.json")) || /\bdist\b/.test(root)) root = dirname(root);
  const folder = join(process.env.CAIRN_SAMPLES ?? resolve(root, "../shared/samples"), "syslog");
  if (existsSync(folder)) return folder;
  if (process.env.CI) throw new Error(`Cannot find the samples: no folder "${folder}"`);
  return undefined;
}

const FOLDER = samplesFolder();
const skip = FOLDER === undefined ? "no samples here; set CAIRN_SAMPLES" : false;

/** Describes a message; a string is the reason why there is no event. */
function describe(message: ProgramMessage): AuditEvent | string {
  let reason = "";
  return describeProgram(message, (why) => reason = why) ?? reason;
}

// One line of an assert file: which parser, which of its results, what it found.
const ASSERT =
  /^results\["s01-parse"\]\["([^"]+)"\]\[(\d+)\]\.Evt\.(?:Parsed|Meta)\["([^"]+)"\] == "(.*)"$/;

interface Reading {
  readonly file: string;
  readonly found: Map<string, string>;
}

/** What CrowdSec's own parsers read out of their test lines. */
function readings(): Reading[] {
  const folder = join(FOLDER!, "crowdsec-hub");
  return readdirSync(folder).filter((name) => name.endsWith("__parser.assert")).flatMap((file) => {
    const results = new Map<string, Reading>();
    for (const line of readFileSync(join(folder, file), "utf8").split("\n")) {
      const [, parser, index, name, value] = ASSERT.exec(line) ?? [];
      if (name === undefined) continue;
      const key = `${parser} ${index}`;
      const reading = results.get(key) ?? { file, found: new Map() };
      reading.found.set(name, value!.replaceAll('\\"', '"'));
      results.set(key, reading);
    }
    return [...results.values()];
  });
}

// CrowdSec's names of programs whose lines it does not find by their name.
const PROGRAMS: Readonly<Record<string, string>> = {
  "dropbear-logs__parser.assert": "dropbear",
  "proxmox-logs__parser.assert": "pvedaemon",
};

function programOf({ file, found }: Reading): string {
  return found.get("program") ?? PROGRAMS[file] ?? "sshd";
}

function nameIn(event: AuditEvent): unknown {
  return event.request?.userName ?? ("name" in event.actor ? event.actor.name : undefined);
}

t.test("programs agree with CrowdSec's reading of its lines", { skip }, async (t) => {
  let compared = 0;
  for (const reading of readings()) {
    const { found, file } = reading;
    const kind = found.get("log_type");
    const text = found.get("message");
    if (kind === undefined || text === undefined || !/^(ssh|pam|pve)_|auth_success/.test(kind)) {
      continue;
    }
    const program = programOf(reading);
    const event = describe({ id: "1", time: 1, program, text });
    if (typeof event === "string") {
      t.fail(`${file}: ${text}: ${event}`);
      continue;
    }
    compared++;
    const about = `${file}: ${text}`;
    t.equal(event.outcome.success, kind === "auth_success", `${about}: outcome`);
    t.match(event.action, /^(UserLogin|AuthenticateUser)$/, `${about}: action`);
    const address = found.get("source_ip")?.replace("::ffff:", "");
    if (address !== undefined) t.equal(event.origin?.address, address, `${about}: address`);
    const user = found.get("target_user") ?? found.get("username");
    if (user !== undefined) t.equal(nameIn(event), user, `${about}: user`);
  }
  t.ok(compared >= 60, `${compared} readings compared`);
});

t.test(
  "every line of a real auth.log is an event or ignored with a reason",
  { skip },
  async (t) => {
    const lines = readFileSync(join(FOLDER!, "elastic-examples", "auth.log"), "utf8").trimEnd()
      .split("\n");
    const counts = new Map<string, number>();
    for (const [index, line] of lines.entries()) {
      const { host: _, ...message } = parseSyslogMessage(new TextEncoder().encode(line), {
        receivedAt: Date.UTC(2017, 3, 1),
      });
      const { time, program, text, pid } = message;
      const event = describe({ id: `${index}`, time, program, text, ...(pid ? { pid } : {}) });
      const what = typeof event === "string" ? event : `${event.service} ${event.action}`;
      counts.set(what, (counts.get(what) ?? 0) + 1);
    }
    t.equal(counts.get("not audited: program without parser"), undefined);
    // As counted with grep.
    t.match(Object.fromEntries(counts), {
      "sudo AssumeRole": 186,
      "su AssumeRole": 9,
      "useradd CreateUser": 40,
      "groupadd CreateGroup": 1,
      "chpasswd ChangePassword": 417,
      "cron StartSession": 632,
      "systemd-logind StartSession": 226,
    });
    const logins = lines.filter((line) =>
      /sshd\[\d+\]: .*(Accepted|Failed (password|publickey)|Invalid user|\[preauth\]|Bad protocol)/
        .test(line) && !/Received disconnect|input_userauth|Disconnecting|none for/.test(line)
    );
    t.equal(counts.get("sshd UserLogin"), logins.length);
  },
);
