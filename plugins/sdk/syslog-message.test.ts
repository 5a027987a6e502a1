// Syslog messages taken apart: both RFCs and the lines of files, and what is none of them.

import fc from "fast-check";
import t from "tap";
import { RejectedInput } from "./errors.ts";
import { zoneOffset } from "./mapping-time-zone.ts";
import {
  parseSyslogMessage,
  type SyslogMessage,
  type SyslogMessageOptions,
} from "./syslog-message.ts";

const RECEIVED = Date.UTC(2026, 9, 11, 22, 14, 20);

function parse(text: string, options: SyslogMessageOptions = { receivedAt: RECEIVED }) {
  return parseSyslogMessage(Buffer.from(text), options);
}

/** What a message says, without what it does not, its time as text. */
function told(message: SyslogMessage): Record<string, unknown> {
  const { time, ...rest } = message;
  const members = Object.entries(rest).filter(([, value]) => value !== undefined && value !== "");
  return { time: new Date(time).toISOString(), ...Object.fromEntries(members) };
}

function reason(text: string, options?: SyslogMessageOptions): string {
  try {
    parse(text, options);
  } catch (error) {
    if (error instanceof RejectedInput) return error.message;
    throw error;
  }
  return "";
}

const SHORT = "2026-10-11T22:14:15.000Z";
const CASES: readonly (readonly [string, string, Record<string, unknown>])[] = [
  [
    "RFC 3164",
    "<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8\n",
    {
      ...{ time: SHORT, facility: 4, severity: 2, host: "mymachine", program: "su" },
      text: "'su root' failed for lonvick on /dev/pts/8",
    },
  ],
  [
    "auth.log",
    "Oct  1 22:14:15 web-02 sshd[16378]: Invalid user pascal from 192.0.2.1 port 53502",
    {
      ...{ time: "2026-10-01T22:14:15.000Z", host: "web-02", program: "sshd", pid: "16378" },
      text: "Invalid user pascal from 192.0.2.1 port 53502",
    },
  ],
  [
    "a day of one digit",
    "Oct 1 22:14:15 h a: b",
    { time: "2026-10-01T22:14:15.000Z", host: "h", program: "a", text: "b" },
  ],
  [
    "a year and a fraction",
    "<13>Oct 11 2024 22:14:15.250: %SYS-5-CONFIG_I: Configured",
    {
      ...{ time: "2024-10-11T22:14:15.250Z", facility: 1, severity: 5, program: "%SYS-5-CONFIG_I" },
      text: "Configured",
    },
  ],
  [
    "messages with ISO times",
    "2026-10-11T22:14:15.123456+02:00 web-02 systemd[1]: Started x.",
    {
      ...{ time: "2026-10-11T20:14:15.123Z", host: "web-02", program: "systemd", pid: "1" },
      text: "Started x.",
    },
  ],
  [
    "ISO times with a priority",
    "<86>2026-10-11T22:14:15Z web-02 CRON[7]: (root) CMD (x)",
    {
      ...{ time: SHORT, facility: 10, severity: 6, host: "web-02", program: "CRON", pid: "7" },
      text: "(root) CMD (x)",
    },
  ],
  [
    "a local socket's message, which names no host",
    "<13>Oct 11 22:14:15 alice[42]: hello",
    { time: SHORT, facility: 1, severity: 5, program: "alice", pid: "42", text: "hello" },
  ],
  [
    "a priority alone, as RFC 3164 allows",
    "<13>su: hello there",
    {
      ...{ time: "2026-10-11T22:14:20.000Z", facility: 1, severity: 5, program: "su" },
      text: "hello there",
    },
  ],
  [
    "a host that is an address, and a program with its path",
    "Oct 11 22:14:15 127:0:ab::1 /usr/sbin/sshd(pam_unix)[9]: session opened",
    {
      time: SHORT,
      host: "127:0:ab::1",
      program: "sshd(pam_unix)",
      pid: "9",
      text: "session opened",
    },
  ],
  [
    "no tag",
    "Oct 11 22:14:15 veridian lookup for opt failed",
    { time: SHORT, host: "veridian", text: "lookup for opt failed" },
  ],
  [
    "RFC 5424",
    '<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 ID47 [a@1 b="c"] \ufeff%% é',
    {
      ...{ time: "2003-08-24T12:14:15.000Z", facility: 20, severity: 5, host: "192.0.2.1" },
      ...{ program: "myproc", pid: "8710", messageId: "ID47", fields: { "a@1.b": "c" } },
      text: "%% é",
    },
  ],
  [
    "RFC 5424 as rsyslog writes it",
    "<86>1 2026-10-11T22:14:15Z h su 7 - -  (to bob) root on none",
    {
      ...{ time: SHORT, facility: 10, severity: 6, host: "h", program: "su", pid: "7" },
      text: "(to bob) root on none",
    },
  ],
  [
    "RFC 5424 of nothing",
    "<0>1 - - - - - -",
    { time: "2026-10-11T22:14:20.000Z", facility: 0, severity: 0 },
  ],
  [
    "structured data of several elements, with escapes",
    String.raw`<0>1 2026-10-11T22:14:15Z h p - - [a x="1\] \"2\" \\ \n" y=""][b]`,
    {
      ...{ time: SHORT, facility: 0, severity: 0, host: "h", program: "p" },
      fields: { "a.x": String.raw`1] "2" \ \n`, "a.y": "" },
    },
  ],
  [
    "RFC 5424 in a file",
    "1 2026-10-11T22:14:15Z h su - ID47 - failed",
    { time: SHORT, host: "h", program: "su", messageId: "ID47", text: "failed" },
  ],
];

for (const [name, text, expected] of CASES) {
  t.test(`parseSyslogMessage() reads ${name}`, async (t) => t.same(told(parse(text)), expected));
}

t.test("parseSyslogMessage() says why it rejects", async (t) => {
  const reasons: readonly (readonly [string, string])[] = [
    ["", "Has neither a priority nor a time"],
    ["Header1: abc", "Has neither a priority nor a time"],
    ["Feb 30 10:00:00 h a: b", "Has neither a priority nor a time"],
    ["Oct 11 24:00:00 h a: b", "Has neither a priority nor a time"],
    ["<3444>Oct 11 22:14:15 mymachine su: x", "Has no valid priority"],
    ["<192>Oct 11 22:14:15 mymachine su: x", "Has no valid priority"],
    ["<>x", "Has no valid priority"],
    ["<190)1 2003-10-11T22:14:15.003Z h p - - - x", "Has no valid priority"],
    ["<34>1 203-10-11T22:14:15.003Z h su - ID47 - x", "Has no valid time"],
    ["<34>1 2003-10-11T22:14:15+0x:00 h su - ID47 - x", "Has no valid time"],
    ["<34>1 2003-10-11T22:14:15Z h su", "Ends within its header"],
    ["<34>1 2003-10-11T22:14:15Z h  su - - -", "Has an empty field in its header"],
    ["<34>1 2003-10-11T22:14:15Z h su - - [a", "Has broken structured data"],
    ['<34>1 2003-10-11T22:14:15Z h su - - [a b="c]', "Has broken structured data"],
    ['<34>1 2003-10-11T22:14:15Z h su - - [a b="c"]x', "Has broken structured data"],
    ["<34>1 2003-10-11T22:14:15Z h su - - x", "Has broken structured data"],
    ["<34>a\0b: c", "Holds NUL bytes"],
  ];
  for (const [text, why] of reasons) t.equal(reason(text), why, JSON.stringify(text));
  const latin = Buffer.from("<34>Oct 11 22:14:15 h su: caf\xe9", "latin1");
  t.throws(() => parseSyslogMessage(latin, {}), { message: "Is not UTF-8" });
  t.match(reason("<34>Oct 11 22:14:15 h su: x", {}), /^Has no year, and its receiver does not say/);
  t.match(reason("<34>su: x", {}), /^Has no time, and its receiver does not say/);
});

t.test("parseSyslogMessage() finds the year of a time across New Year and leap days", async (t) => {
  const year = (text: string, received: string, zone = "UTC") => {
    const options = { receivedAt: Date.parse(received), timezone: zoneOffset(zone)! };
    return new Date(parse(`${text} h a: b`, options).time).toISOString();
  };
  t.equal(year("Dec 31 23:59:59", "2026-01-01T00:00:01Z"), "2025-12-31T23:59:59.000Z");
  t.equal(year("Jan  1 00:00:01", "2026-01-01T00:00:02Z"), "2026-01-01T00:00:01.000Z");
  t.equal(year("Jan  1 00:30:00", "2025-12-31T23:59:00Z"), "2026-01-01T00:30:00.000Z", "ahead");
  t.equal(year("Feb 29 12:00:00", "2026-03-01T00:00:00Z"), "2024-02-29T12:00:00.000Z");
  const berlin = "Europe/Berlin";
  t.equal(year("Jan  1 00:30:00", "2025-12-31T23:31:00Z", berlin), "2025-12-31T23:30:00.000Z");
  t.equal(year("Jul  1 12:00:00", "2026-07-01T10:00:01Z", berlin), "2026-07-01T10:00:00.000Z");
  t.equal(year("2026-07-01T12:00:00", "2026-07-01T10:00:01Z", berlin), "2026-07-01T10:00:00.000Z");
});

t.test("parseSyslogMessage() answers any bytes with a message or RejectedInput", async (t) => {
  const samples = CASES.map(([, text]) => text);
  const damaged = fc.tuple(fc.constantFrom(...samples), fc.nat(120), fc.string({ maxLength: 6 }))
    .map(([text, at, noise]) => text.slice(0, at) + noise + text.slice(at + 1));
  const check = (bytes: Uint8Array) => {
    try {
      const message = parseSyslogMessage(bytes, { receivedAt: RECEIVED });
      return Number.isFinite(message.time);
    } catch (error) {
      return error instanceof RejectedInput;
    }
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), check));
  fc.assert(fc.property(damaged, (text) => check(Buffer.from(text))), { numRuns: 2000 });
  t.ok(check(Buffer.from("<0>1 - - - - - " + "[a".repeat(100_000))));
});
