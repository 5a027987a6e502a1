// One line at a time: headers, fields, hex, what daemons of all ages write, and the tables.

import t from "tap";
import { RejectedInput } from "../../sdk/errors.ts";
import { argumentsOf } from "./argv.ts";
import { errnoName } from "./errno.ts";
import { RecordParser } from "./parse.ts";
import { decodeSocketAddress } from "./sockaddr.ts";
import { SyscallNames } from "./syscalls.ts";

function parse(line: string) {
  return new RecordParser().parse(line, false);
}

function fields(text: string, type = "USER_TEST") {
  return Object.fromEntries(parse(`type=${type} msg=audit(1.000:1): ${text}`).fields);
}

t.test("parse reads node, type, time and serial", async (t) => {
  const record = parse(
    "node=web-01 type=CWD msg=audit(1481076992.414:18446744073709551615):  cwd=2F",
  );
  t.match(record, {
    node: "web-01",
    type: "CWD",
    stamp: "1481076992.414:18446744073709551615",
    time: 1_481_076_992_414,
  });
});

t.test("parse refuses what is no audit record, and says so", async (t) => {
  const bad = [
    "x",
    "type=UNKNOWN[1329] msg=?",
    "type=CWD msg=audit(1481076992.414): cwd=",
    "type=CWD msg=audit(1481076992:414:1): cwd=",
    "type=CWD msg=audit(148107699200.414:1): cwd=",
    "type=CWD msg=audit(1.4140:1): cwd=",
    "type=CWD msg=audit(-1.414:1): cwd=",
    "type=CWD msg=audit(1.414:): cwd=",
    "type=CWD msg=audit(1.414:1",
    "type= msg=audit(1.414:1): a=b",
    "type=cwd msg=audit(1.414:1): a=b",
    `node=${"n".repeat(300)} type=CWD msg=audit(1.414:1): a=b`,
    "node= type=CWD msg=audit(1.414:1): a=b",
  ];
  for (const line of bad) t.throws(() => parse(line), RejectedInput, line);
});

t.test("parse refuses a line cut inside a quoted value", async (t) => {
  t.throws(() => parse('type=PATH msg=audit(1.0:1): item=0 name="/etc/pas'), {
    message: 'Cut line: the value of "name" has no end',
  });
});

t.test("parse decodes hex where auditd writes hex, and nowhere else", async (t) => {
  t.strictSame(
    fields("name=6120622063 comm=6C73 inode=1234 dev=08 a0=31 key=6101 cwd=2F", "PATH"),
    {
      name: "a b c",
      comm: "ls",
      inode: "1234",
      dev: "08",
      a0: "31",
      key: "a\x01",
      cwd: "/",
    },
  );
  t.strictSame(fields('a0=31302032 a1="31302032" a2_len=4', "EXECVE"), {
    a0: "10 2",
    a1: "31302032",
    a2_len: "4",
  });
});

t.test("parse never takes an account's number for hex", async (t) => {
  t.equal(fields("acct=1000").acct, "1000");
  t.equal(fields("acct=2020").acct, "2020");
  t.equal(fields("acct=4294967294").acct, "4294967294");
  t.equal(fields("acct=root").acct, "root");
  t.equal(fields("acct=28756E6B6E6F776E29").acct, "(unknown)");
});

t.test("parse keeps bytes that are no UTF-8 as escapes", async (t) => {
  t.equal(fields("name=C3BC").name, "ü");
  t.equal(fields("name=FF2FC3").name, "\\xff/\\xc3");
  t.equal(fields("name=EDA080").name, "\\xed\\xa0\\x80");
  t.equal(fields('op="\xff"').op, "\\xff");
  t.equal(fields('op="\xc3\xbc"').op, "ü");
});

t.test("parse reads words without a field as text, and words after op= as its value", async (t) => {
  t.strictSame(fields("msg='op=adding user to group acct=\"bob\" res=success'"), {
    op: "adding user to group",
    acct: "bob",
    res: "success",
  });
  t.strictSame(fields("msg='op= id=2100 res=success'"), { id: "2100", res: "success" });
  t.strictSame(fields("auditd start, ver=2.4.1, res=success", "DAEMON_START"), {
    ver: "2.4.1",
    res: "success",
    text: "auditd start,",
  });
  t.strictSame(
    fields("msg='PAM: session open acct=root : exe=\"/x\" (hostname=?, addr=?, res=success)'"),
    {
      acct: "root",
      exe: "/x",
      res: "success",
      text: "PAM: session open",
    },
  );
});

t.test("parse tells old from new in LOGIN records of old kernels", async (t) => {
  t.strictSame(
    fields("login pid=1 uid=0 old auid=4294967295 new auid=5 old ses=1 new ses=2", "LOGIN"),
    {
      pid: "1",
      uid: "0",
      "old-auid": "4294967295",
      auid: "5",
      "old-ses": "1",
      ses: "2",
      text: "login",
    },
  );
});

t.test("parse takes added names after a separator, a space, or nothing at all", async (t) => {
  const start = "type=PATH msg=audit(1.0:1): item=0 cap_frootid=0";
  for (const between of ["\x1d", " ", ""]) {
    const record = parse(`${start}${between}OUID="root" OGID="a b"`);
    t.strictSame(Object.fromEntries(record.resolved!), { ouid: "root", ogid: "a b" });
    t.equal(record.fields.get("cap_frootid"), "0");
  }
  const quoted = parse('type=SYSCALL msg=audit(1.0:1): key="k"ARCH=x86_64 SYSCALL=execve');
  t.equal(quoted.fields.get("key"), "k");
  t.strictSame(Object.fromEntries(quoted.resolved!), { arch: "x86_64", syscall: "execve" });
  const nested = parse(`type=ADD_USER msg=audit(1.0:1): uid=0 msg='id=1 res=success'UID="root"`);
  t.equal(nested.fields.get("res"), "success");
  t.equal(nested.resolved!.get("uid"), "root");
});

t.test("parse reads an added value in braces", async (t) => {
  const record = parse(
    "type=SOCKADDR msg=audit(1.0:1): saddr=1000\x1dSADDR={ saddr_fam=netlink nlnk-pid=0 }",
  );
  t.equal(record.resolved!.get("saddr"), "{ saddr_fam=netlink nlnk-pid=0 }");
});

t.test("parse keeps repeated names beside the first, in time linear to the line", async (t) => {
  t.strictSame(fields("uid=1 uid=2 uid=3"), { uid: "1", "uid#2": "2", "uid#3": "3" });
  t.equal(Object.keys(fields("a=1 ".repeat(15_000))).length, 15_000);
});

t.test("parse reads lines of one type whose names differ from the line before", async (t) => {
  const parser = new RecordParser();
  const lines = [
    "a=1 b=2 c=3",
    "a=1 c=3 b=2",
    "ab=1 b=2",
    "a=1 b=2 c=3 d=4",
    "",
    "a=1 a=2",
    "a=? a=2",
    "a=1 b=2",
    "a=1 b=? c=3",
    "a=1 b=2 c=(null)",
    "a=1 word b=2",
    "old a=1 new a=2",
    "msg='op=adding user res=success'",
    "msg='op= user res=success'",
    "msg='op=login res=success'",
  ];
  for (const line of [...lines, ...lines]) {
    const text = `type=USER_TEST msg=audit(1.0:1): ${line}`;
    t.strictSame([...parser.parse(text, true).fields], [...parse(text).fields], line);
  }
});

t.test("argumentsOf joins parts before it decodes them, and leaves lost ones null", async (t) => {
  const records = [
    'type=EXECVE msg=audit(1.0:1): argc=5 a0="x" a1_len=6 a1[0]=41C3',
    'type=EXECVE msg=audit(1.0:1):  a1[1]=BC42 a2_len=4 a2[0]="c d" a2[1]=21 a4=""',
  ].map(parse);
  t.strictSame(argumentsOf(records), ["x", "AüB", "c d!", null, ""]);
  const claims = [parse('type=EXECVE msg=audit(1.0:1): argc=9999999 a9999999="x"')];
  t.strictSame(argumentsOf(claims), [null, "x"]);
});

t.test("decodeSocketAddress reads the families that name a peer", async (t) => {
  t.strictSame(decodeSocketAddress("02000050A9FEA9FE0000000000000000"), {
    family: "ipv4",
    address: "169.254.169.254",
    port: 80,
  });
  const v6 = "0A000016000000002001" + "0DB8000000000000000000000001" + "00000000";
  t.match(decodeSocketAddress(v6), { family: "ipv6", address: "2001:db8::1", port: 22 });
  t.match(decodeSocketAddress("01002F72756E2F7800AA"), { family: "unix", path: "/run/x" });
  t.match(decodeSocketAddress("010000616273"), { family: "unix", path: "@abs" });
  t.strictSame(decodeSocketAddress("100000000000000000000000"), { family: "netlink" });
  for (const bad of [undefined, "", "02", "0200", "zz00", "020"]) {
    t.not(decodeSocketAddress(bad)?.family, "ipv4");
  }
});

t.test("tables name errors and system calls of three architectures", async (t) => {
  t.equal(errnoName(13), "EACCES");
  t.equal(errnoName(133), "EHWPOISON");
  t.equal(errnoName(512), "ERESTARTSYS");
  t.equal(errnoName(41), undefined);
  const names = new SyscallNames();
  t.equal(names.name("c000003e", "59"), "execve");
  t.equal(names.name("c000003e", "257"), "openat");
  t.equal(names.name("c000003e", "452"), "fchmodat2");
  t.equal(names.name("c00000b7", "221"), "execve");
  t.equal(names.name("40000003", "11"), "execve");
  t.equal(names.name("40000003", "403"), "clock_gettime64");
  t.equal(names.name("c000003e", "400"), undefined);
  t.equal(names.name("12345678", "1"), undefined);
});
