// Format minio: its contract, calls of every kind, and the entry of MinIO's own documentation.

import { readFileSync } from "node:fs";
import t from "tap";
import { conformance, testContext } from "../../sdk/conformance.ts";
import type { AuditEvent } from "../../sdk/index.ts";
import minio from "./index.ts";
import { sampleFile } from "../../../test/formats/sample-file.ts";

const encode = (text: string) => new TextEncoder().encode(text);

function events(text: string): readonly AuditEvent[] {
  const decoded = minio.create({}, testContext())
    .decode(encode(text), { source: "webhook:1", offset: 7 });
  if (!("events" in decoded)) throw new Error("Format minio made records");
  return decoded.events;
}

const entry = {
  version: "1",
  deploymentid: "d-1",
  time: "2026-01-02T03:04:05.678901234Z",
  event: "",
  trigger: "incoming",
  api: {
    name: "PutObject",
    bucket: "data",
    object: "a/b.csv",
    status: "OK",
    statusCode: 200,
    rx: 9,
    tx: 0,
  },
  remotehost: "192.0.2.7",
  requestID: "17B86CB0ED88EBE9",
  userAgent: "mc/1",
  requestPath: "/data/a/b.csv",
  requestQuery: { "X-Amz-Signature": "5f", uploadId: "u" },
  requestHeader: { Authorization: "AWS4-HMAC-SHA256 Signature=cc", "X-Amz-Security-Token": "t" },
  responseHeader: { ETag: "e" },
  tags: { objectLocation: { name: "b.csv" } },
  accessKey: "AKEXAMPLE",
};
const event = (members: object) => events(JSON.stringify({ ...entry, ...members }))[0]!;

await conformance(t, minio, {
  minimal: {},
  frames: Array.from(
    { length: 50 },
    (_, i) => encode(JSON.stringify({ ...entry, requestID: `R${i}` })),
  ),
});

t.test("a call on an object is read whole, but for its secrets", async (t) => {
  t.same(event({}), {
    id: "d-1:17B86CB0ED88EBE9:2026-01-02T03:04:05.678901234Z",
    time: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
    service: "minio",
    action: "PutObject",
    actor: { type: "user", name: "AKEXAMPLE" },
    outcome: { success: true },
    readOnly: false,
    category: "Data",
    origin: { address: "192.0.2.7", userAgent: "mc/1" },
    resources: [
      { type: "S3::Object", name: "data/a/b.csv" },
      { type: "S3::Bucket", name: "data" },
    ],
    request: {
      bucket: "data",
      object: "a/b.csv",
      requestPath: "/data/a/b.csv",
      requestQuery: { "X-Amz-Signature": "[not copied]", uploadId: "u" },
      requestHeader: { Authorization: "[not copied]", "X-Amz-Security-Token": "[not copied]" },
    },
    response: { status: "OK", statusCode: 200, rx: 9, tx: 0, responseHeader: { ETag: "e" } },
    additional: {
      requestID: "17B86CB0ED88EBE9",
      version: "1",
      deploymentid: "d-1",
      event: "",
      trigger: "incoming",
      tags: { objectLocation: { name: "b.csv" } },
    },
  });
});

t.test("actors: service accounts, nobody, MinIO itself", async (t) => {
  t.same(event({ parentUser: "alice" }).actor, { type: "user", name: "alice", id: "AKEXAMPLE" });
  t.same(event({ accessKey: undefined }).actor, { type: "anonymous" });
  const own = event({ accessKey: "", trigger: "ilm", requestID: "", api: { name: "ILMExpiry" } });
  t.match(own, {
    id: "webhook:1:7",
    action: "ILMExpiry",
    actor: { type: "service", name: "minio" },
  });
});

t.test("calls on buckets and the server are Management, reads are read-only", async (t) => {
  const kind = (api: object) => {
    const { action, readOnly, category } = event({ api });
    return [action, readOnly, category];
  };
  t.same(kind({ name: "ListObjectsV2", bucket: "b" }), ["ListObjectsV2", true, "Data"]);
  t.same(kind({ name: "PutBucketPolicy", bucket: "b" }), ["PutBucketPolicy", false, "Management"]);
  t.same(kind({ name: "AddUser" }), ["AddUser", false, "Management"]);
  t.same(kind({ name: "DeleteMultipleObjects", bucket: "b", objects: [{ objectName: "o" }] }), [
    "DeleteMultipleObjects",
    false,
    "Data",
  ]);
});

t.test("failures have MinIO's code, else that of the status", async (t) => {
  const api = { name: "GetObject", bucket: "b", object: "o", statusCode: 404 };
  const responseHeader = { "X-Minio-Error-Code": "NoSuchKey", "X-Minio-Error-Desc": "gone" };
  t.same(event({ api, responseHeader }).outcome, {
    success: false,
    code: "NoSuchKey",
    message: "gone",
  });
  t.same(event({ api: { ...api, statusCode: 403 } }).outcome, {
    success: false,
    code: "AccessDenied",
  });
  t.same(event({ error: "disk is full" }).outcome, {
    success: false,
    code: "OperationFailed",
    message: "disk is full",
  });
});

t.test("the server's own log is left out and counted, batches are read", async (t) => {
  const context = testContext();
  const lines = [{ level: "ERROR", errKind: "ALL" }, {}, entry].map((one) => JSON.stringify(one));
  const decoded = minio.create({}, context)
    .decode(encode(lines.join("\n")), { source: "s", offset: 0 });
  t.equal("events" in decoded && decoded.events.length, 1);
  t.same(context.ignoredCounts, {
    "no audit entry: log of the server": 1,
    "no audit entry: names no call": 1,
  });
});

t.test("the entry of MinIO's documentation is read", async (t) => {
  const path = sampleFile(t, "minio/minio-docs/audit.jsonl");
  if (path === undefined) return;
  const found = events(readFileSync(path, "utf8"));
  t.match(found, [{
    time: Date.UTC(2024, 1, 29, 19, 39, 25, 744),
    action: "CompleteMultipartUpload",
    actor: { type: "user", name: "minioadmin" },
    outcome: { success: true },
    origin: { address: "127.0.0.1", userAgent: /^MinIO/ },
    resources: [{ name: "data/test-data.csv" }, { name: "data" }],
    additional: { requestID: "17B86CB0ED88EBE9", tags: { objectLocation: { poolId: 1 } } },
  }]);
  t.notMatch(JSON.stringify(found), /ccb3acdc/, "no signature");
});
