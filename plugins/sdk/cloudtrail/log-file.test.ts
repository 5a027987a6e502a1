// Log files: CloudTrail's keys and names, and the text inside.

import t from "tap";
import {
  formatLogFileKey,
  isLogFileOwner,
  logFileBytes,
  logFilePieces,
  logFolder,
  parseLogFileKey,
  uniquePart,
} from "./log-file.ts";

const KEY = {
  prefix: "",
  accountId: "111122223333",
  folder: "CloudTrail",
  region: "eu-west-1",
  deliveredAt: Date.UTC(2026, 2, 2, 8, 5),
  unique: "AbCdEfGhIjKlMn01",
} as const;

t.test("formatLogFileKey and parseLogFileKey agree with CloudTrail's layout", async (t) => {
  const plain = "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/02/" +
    "111122223333_CloudTrail_eu-west-1_20260302T0805Z_AbCdEfGhIjKlMn01.json.gz";
  t.equal(formatLogFileKey(KEY), plain);
  t.strictSame(parseLogFileKey(plain), KEY);
  const whole = {
    ...KEY,
    prefix: "a/b",
    organizationId: "o-abcdefghij",
    folder: "CloudTrail-NetworkActivity",
  } as const;
  t.match(
    formatLogFileKey(whole),
    /^a\/b\/AWSLogs\/o-abcdefghij\/111122223333\/CloudTrail-NetworkA/,
  );
  t.strictSame(parseLogFileKey(formatLogFileKey(whole)), whole);
});

t.test("formatLogFileKey drops what is below the minute", async (t) => {
  t.equal(
    formatLogFileKey({ ...KEY, deliveredAt: KEY.deliveredAt + 59_999 }),
    formatLogFileKey(KEY),
  );
});

t.test("parseLogFileKey knows no other keys", async (t) => {
  const key = formatLogFileKey(KEY);
  for (
    const other of [
      "",
      key.slice(0, -3),
      key.replaceAll("CloudTrail", "CloudTrail-Digest"),
      key.replace("_eu-west-1_", "_eu-west-2_"),
      key.replace("_111122223333_", "_444455556666_").replace("/111122223333_", "/444455556666_"),
    ]
  ) t.equal(parseLogFileKey(other), undefined, other);
});

t.test("formatLogFileKey refuses parts that could lead elsewhere", async (t) => {
  const bad: Partial<Record<keyof typeof KEY | "organizationId", string>>[] = [
    { accountId: "../etc" },
    { region: "../.." },
    { region: "" },
    { unique: "short" },
    { organizationId: "../x" },
  ];
  for (const part of bad) {
    t.throws(() => formatLogFileKey({ ...KEY, ...part } as never), TypeError, JSON.stringify(part));
  }
  t.equal(isLogFileOwner("111122223333", "eu\n"), false);
});

t.test("uniquePart gives the same characters for the same parts, everywhere", async (t) => {
  t.equal(uniquePart(["a", 1, 2]), "aO5lNn7vHVlXkSFX");
  t.not(uniquePart(["a", 1, 2]), uniquePart(["a", 12]));
  t.match(uniquePart([]), /^[A-Za-z0-9]{16}$/);
});

t.test("logFolder keeps insights, network activity and aggregates apart", async (t) => {
  const folders = ["Management", "Data", "Insight", "NetworkActivity", "Aggregated", "constructor"];
  t.strictSame(folders.map(logFolder), [
    "CloudTrail",
    "CloudTrail",
    "CloudTrail-Insight",
    "CloudTrail-NetworkActivity",
    "CloudTrail-Aggregated",
    "CloudTrail",
  ]);
});

t.test("logFilePieces joins the records' bytes without looking at them", async (t) => {
  const records = ['{"a":1.50}', "{ }"].map((text) => ({ bytes: new TextEncoder().encode(text) }));
  const join = (of: typeof records, room: number) => {
    const pieces = Array.from(logFilePieces(of, new Uint8Array(room)), (piece) => piece.slice());
    t.ok(pieces.slice(0, -1).every(({ length }) => length > room - 2), "each fills its room");
    return Buffer.concat(pieces).toString();
  };
  for (let room = 20; room < 50; room++) {
    t.equal(join(records, room), '{"Records":[{"a":1.50},{ }]}');
    t.equal(join([], room), '{"Records":[]}');
  }
  t.equal(logFileBytes(2, 13), 28);
});
