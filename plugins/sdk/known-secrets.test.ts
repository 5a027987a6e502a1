// Secrets known by their shape: each kind is found in a sentence, what only looks like one is left,
// and no text makes it slow. Every secret here is made up for the test.

import fc from "fast-check";
import t from "tap";
import { replaceSecrets } from "./known-secrets.ts";

const letters = (length: number) => "aB3dE5fG7hJ9kL1mN2pQ4rS6tU8v".repeat(20).slice(0, length);
const hex = (length: number) => "0a1b2c3d4e5f6789".repeat(20).slice(0, length);
const upper = (length: number) => "Q7RW2XYZ5ABCD3EF".repeat(20).slice(0, length);
const base64 = (text: string) => Buffer.from(text).toString("base64");

const JWT = `eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.${letters(43)}`;
const KEY = `-----BEGIN RSA PRIVATE KEY-----\nMIIE${letters(200)}\n-----END RSA PRIVATE KEY-----`;

/** The secret as it stands in a text, and the text around it. */
const FOUND: readonly (readonly [before: string, secret: string, after: string])[] = [
  ["id ", `AKIA${upper(16)}`, " of alice"],
  ["", `ASIA${upper(16)}`, ""],
  ["token ", `IQoJb3JpZ2luX2Vj${letters(200)}`, "."],
  ["jwt ", JWT, " sent"],
  ["key:\n", KEY, "\nend"],
  ["cut off ", "-----BEGIN PRIVATE KEY-----\\nMIIEvQ", ""],
  ["Authorization: ", `Bearer ${letters(40)}`, ""],
  ["with bearer ", letters(24), " again"],
  ["curl -H 'X: Basic ", base64("alice:hunter2"), "'"],
  ["", `ghp_${letters(36)}`, ""],
  ["pat ", `github_pat_${letters(82)}`, ""],
  ["", `glpat-${letters(20)}`, " "],
  ["", `xoxb-${"1234567890"}-${letters(24)}`, ""],
  ["https://hooks.slack.com/services/", `T00000000/B00000000/${letters(24)}`, ""],
  ["", `sk_live_${letters(24)}`, ""],
  ["", `rk_test_${letters(24)}`, ","],
  ["", `whsec_${letters(32)}`, ""],
  ["", `SG.${letters(22)}.${letters(43)}`, ""],
  ["", `sk-ant-${letters(48)}`, ""],
  ["", `AIza${letters(35)}`, ""],
  ["", `npm_${letters(36)}`, ""],
  ["", `hf_${letters(34)}`, ""],
  ["", `dop_v1_${hex(64)}`, ""],
  ["", `hvs.${letters(24)}`, ""],
  ["", `dckr_pat_${letters(27)}`, ""],
  ["mysql --password=", "hunter2", " -u root"],
  ["login --token ", "hunter2", ""],
  ["PGPASSWORD=", "hunter2", " psql"],
  ["export DB_PASSWORD=", "hunter2", ""],
  ["aws_secret_access_key = x aws_secret_access_key=", letters(40), ""],
  ["postgres://app:", "p@ss:w0rd", "@db.internal/app"],
  ["https://bob:", "hunter2", "@host/x"],
  ["Server=db;Password=", "hunter2;User", " x"],
  ["DefaultEndpointsProtocol=https;AccountKey=", `${letters(86)}==`, ""],
  ['{"user":"bob","password":"', "hunter2", '"}'],
  ['{\\"secretKey\\": \\"', "hunter2", '\\"}'],
  ["X-Vault-Token: ", "hunter2", ""],
  ["Cookie: ", "session=abc;", " path=/"],
  ["PRIVATE-TOKEN: ", "hunter2", ""],
  ["https://b.s3.amazonaws.com/k?X-Amz-Signature=", hex(64), "&x=1"],
];

t.test("each kind of secret is found where it stands, and all of it", async (t) => {
  for (const [before, secret, after] of FOUND) {
    const put: string[] = [];
    const shown = replaceSecrets(before + secret + after, (found) => `<${put.push(found)}>`);
    t.notOk(shown.includes(secret), `${before}${secret.slice(0, 12)}… is gone: ${shown}`);
    t.ok(
      put.some((found) => found.includes(secret) || secret.includes(found)),
      "and was handed over",
    );
    t.ok(shown.startsWith(before.split(/[:=]|asic|earer/)[0]!), "what stands before it stays");
  }
});

t.test("a secret access key is one beside its id, or under its name", async (t) => {
  const secret = letters(40);
  const csv = `User name,Access key ID,Secret access key\nbob,AKIA${upper(16)},${secret}`;
  t.notMatch(replaceSecrets(csv, () => "-"), new RegExp(secret));
  t.equal(replaceSecrets(`digest ${secret}`, () => "-"), `digest ${secret}`);
  const sha1 = `AKIA${upper(16)} of commit ${hex(40)}`;
  t.equal(replaceSecrets(sha1, () => "-"), `- of commit ${hex(40)}`);
});

t.test("what only looks like a secret stays as it is", async (t) => {
  for (
    const text of [
      "arn:aws:sts::123456789012:assumed-role/Admin/alice",
      "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
      "arn:aws:secretsmanager:eu-central-1:123456789012:secret:prod/db-AbCdEf",
      "AROAEXAMPLEEXAMPLEEX:session",
      "User is not authorized to perform: secretsmanager:GetSecretValue",
      "Failed password for invalid user admin from 192.0.2.7 port 22 ssh2",
      "Basic authentication is turned off",
      "Bearer authentication of the client failed",
      "task-definition/web:12",
      "aws-cli/2.15.0 md/awscrt#0.19.19 ua/2.0 os/linux#6.1 cfg/retry-mode#standard",
      "/usr/bin/passwd alice",
      "https://example.com/a?page=2&nextToken",
      "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQ== alice@host",
      "eyJ is how JSON begins in base64",
      hex(64),
      hex(40),
      "",
    ]
  ) t.equal(replaceSecrets(text, () => "-"), text);
});

t.test("secrets are found wherever they stand, and twice is the same as once", async () => {
  const around = fc.string({ maxLength: 20 }).map((text) => text.replace(/[\w=:@"'\\/-]/g, " "));
  const hidden = (text: string) => replaceSecrets(text, () => "HIDDEN_DUE_TO_SECURITY_REASONS");
  const kind = fc.constantFrom(...FOUND);
  fc.assert(fc.property(kind, kind, around, ([before, secret, after], other, text) => {
    const shown = hidden(`${text} ${before}${secret}${after} ${text} ${other.join("")} ${text}`);
    return !shown.includes(secret) && hidden(shown) === shown;
  }));
});

t.test("no text makes it slow", async (t) => {
  const begin = performance.now();
  const parts = [
    ...FOUND.map(([before, secret]) => before + secret),
    ...FOUND.map((all) => all[0]),
  ];
  const hostile = [
    "eyJ",
    "eyJa.",
    "://",
    "//a:",
    "key",
    "-----BEGIN PRIVATE KEY-----",
    "bearer ",
    "'",
  ];
  for (
    const part of [...parts, ...hostile, "\\", '"', "sk-", "gl", "x-", "AKIA", "=", "password "]
  ) {
    if (part !== "") replaceSecrets(part.repeat(Math.ceil(100_000 / part.length)), () => "-");
  }
  t.ok(performance.now() - begin < 20_000, `${performance.now() - begin} ms`);
});
