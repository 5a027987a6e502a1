// Makes the benchmark's input: CloudTrail records of about 1.5 KB that compress like real ones, and
// audit events as auditd writes them. Deterministic: the same index gives the same bytes.

import { createHash } from "node:crypto";
import { createWriteStream, mkdirSync, type WriteStream } from "node:fs";
import { once } from "node:events";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { CloudTrailRecord } from "../../plugins/sdk/index.ts";

const USERS = ["alice", "bob", "carol", "deploy", "backup", "grafana", "jenkins", "terraform"];
const CALLS = [
  ["ec2.amazonaws.com", "DescribeInstances", true],
  ["ec2.amazonaws.com", "RunInstances", false],
  ["s3.amazonaws.com", "PutBucketPolicy", false],
  ["iam.amazonaws.com", "CreateAccessKey", false],
  ["sts.amazonaws.com", "AssumeRole", true],
  ["kms.amazonaws.com", "Decrypt", true],
  ["lambda.amazonaws.com", "UpdateFunctionCode20150331v2", false],
] as const;
const BEGIN_MS = Date.UTC(2026, 2, 2);

function uuid(seed: string): string {
  const hex = createHash("sha256").update(seed).digest("hex");
  return [8, 12, 16, 20, 32].map((end, i, ends) => hex.slice(ends[i - 1] ?? 0, end)).join("-");
}

/** The record with this number. */
export function sampleRecord(index: number): CloudTrailRecord {
  const user = USERS[index % USERS.length]!;
  const [source, name, readOnly] = CALLS[(index * 7) % CALLS.length]!;
  const key = uuid(`key ${index % 97}`).slice(0, 16).replaceAll("-", "").toUpperCase();
  const role = `arn:aws:iam::111122223333:role/${user}-role`;
  const time = new Date(BEGIN_MS + index * 40).toISOString();
  return {
    eventVersion: "1.11",
    userIdentity: {
      type: "AssumedRole",
      principalId: `AROAEXAMPLE${key}:${user}-${index % 311}`,
      arn: `arn:aws:sts::111122223333:assumed-role/${user}-role/${user}-${index % 311}`,
      accountId: "111122223333",
      accessKeyId: `ASIA${key}`,
      sessionContext: {
        sessionIssuer: {
          type: "Role",
          principalId: `AROAEXAMPLE${key}`,
          arn: role,
          accountId: "111122223333",
          userName: `${user}-role`,
        },
        webIdFederationData: {},
        attributes: { creationDate: `${time.slice(0, 13)}:00:00Z`, mfaAuthenticated: "false" },
      },
    },
    eventTime: `${time.slice(0, 19)}Z`,
    eventSource: source,
    eventName: name,
    awsRegion: index % 5 === 0 ? "us-east-1" : "eu-central-1",
    sourceIPAddress: `203.0.113.${index % 251}`,
    userAgent:
      "aws-cli/2.30.0 md/awscrt#0.27.6 ua/2.1 os/linux#6.1 md/arch#x86_64 lang/python#3.13",
    requestParameters: {
      instancesSet: { items: [{ instanceId: `i-${uuid(`i ${index}`).slice(0, 8)}` }] },
      filterSet: { items: [{ name: "tag:team", valueSet: { items: [{ value: user }] } }] },
      maxResults: index % 1000,
    },
    responseElements: readOnly ? null : {
      requestId: uuid(`response ${index}`),
      ownerId: "111122223333",
      reservationId: `r-${uuid(`r ${index}`).slice(0, 8)}`,
    },
    additionalEventData: { SignatureVersion: "SigV4", AuthenticationMethod: "AuthHeader" },
    resources: [{ accountId: "111122223333", type: "AWS::IAM::Role", ARN: role }],
    requestID: uuid(`request ${index}`),
    eventID: uuid(`event ${index}`),
    readOnly,
    eventType: "AwsApiCall",
    managementEvent: true,
    recipientAccountId: "111122223333",
    eventCategory: "Management",
    tlsDetails: {
      tlsVersion: "TLSv1.3",
      cipherSuite: "TLS_AES_128_GCM_SHA256",
      clientProvidedHostHeader: source,
    },
  };
}

/** The lines of the audit event with this number, raw format. */
export function sampleAuditEvent(index: number): string {
  const time = ((BEGIN_MS + index * 3) / 1000).toFixed(3);
  const head = `msg=audit(${time}:${index + 1}):`;
  const uid = 1000 + (index % 8);
  const file = `/srv/app/release-${index % 1009}/config.yaml`;
  const title = Buffer.from(`cat\0${file}`).toString("hex").toUpperCase();
  return [
    `type=SYSCALL ${head} arch=c000003e syscall=59 success=yes exit=0 a0=55d782c96198 ` +
    `a1=55d782c96120 a2=55d782c96158 a3=1 items=2 ppid=${2000 + index % 500} pid=${
      index % 32768
    } ` +
    `auid=${uid} uid=${uid} gid=${uid} euid=${uid} suid=${uid} fsuid=${uid} egid=${uid} ` +
    `sgid=${uid} fsgid=${uid} tty=pts0 ses=${index % 77} comm="cat" exe="/usr/bin/cat" ` +
    `subj=unconfined key="exec"`,
    `type=EXECVE ${head} argc=2 a0="cat" a1="${file}"`,
    `type=CWD ${head} cwd="/srv/app"`,
    `type=PATH ${head} item=0 name="/usr/bin/cat" inode=312545 dev=08:01 mode=0100755 ouid=0 ` +
    `ogid=0 rdev=00:00 nametype=NORMAL cap_fp=0 cap_fi=0 cap_fe=0 cap_fver=0 cap_frootid=0`,
    `type=PATH ${head} item=1 name="/lib64/ld-linux-x86-64.so.2" inode=370637 dev=08:01 ` +
    `mode=0100755 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL cap_fp=0 cap_fi=0 cap_fe=0 ` +
    `cap_fver=0 cap_frootid=0`,
    `type=PROCTITLE ${head} proctitle=${title}`,
    "",
  ].join("\n");
}

async function writeAll(stream: WriteStream, count: number, text: (index: number) => string) {
  for (let index = 0; index < count; index += 500) {
    const last = Math.min(count, index + 500);
    let block = "";
    for (let i = index; i < last; i++) block += text(i);
    if (!stream.write(block)) await once(stream, "drain");
  }
  stream.end();
  await once(stream, "finish");
}

/** Writes `count` records as JSON lines; answers the file's path. */
export async function writeJsonLines(folder: string, count: number): Promise<string> {
  const path = join(folder, "records.jsonl");
  await writeAll(createWriteStream(path), count, (i) => `${JSON.stringify(sampleRecord(i))}\n`);
  return path;
}

/** Writes `count` audit events; answers the file's path. */
export async function writeAuditLog(folder: string, count: number): Promise<string> {
  const path = join(folder, "audit.log");
  await writeAll(createWriteStream(path), count, sampleAuditEvent);
  return path;
}

/** Writes `count` records as gzipped CloudTrail log files of 5,000; answers the folder's path. */
export async function writeLogFiles(folder: string, count: number): Promise<string> {
  const path = join(folder, "AWSLogs");
  mkdirSync(path);
  for (let index = 0; index < count; index += 5000) {
    const records = Array.from(
      { length: Math.min(5000, count - index) },
      (_, i) => JSON.stringify(sampleRecord(index + i)),
    );
    const name = `111122223333_CloudTrail_eu-central-1_20260302T0000Z_${
      String(index).padStart(16, "0")
    }.json.gz`;
    const stream = createWriteStream(join(path, name));
    stream.end(gzipSync(`{"Records":[${records.join(",")}]}`));
    await once(stream, "finish");
  }
  return path;
}
