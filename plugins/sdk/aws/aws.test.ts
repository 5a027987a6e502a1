// The AWS wire against a server that reckons every signature itself: any key, any fault, and
// credentials that are missing, old or mended.

import t, { type Test } from "tap";
import { Buffer } from "node:buffer";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { AWS_KEYS, AwsServer, type AwsServerOptions } from "../conformance/aws-server.ts";
import { RetryableError } from "../errors.ts";
import { Secret } from "../secret.ts";
import { failureOf, readFailure } from "./aws-error.ts";
import { type Credentials, CredentialSource } from "./credentials.ts";
import { AwsClient, type AwsConnection, readWithin } from "./request.ts";
import { S3 } from "./s3.ts";
import { Sqs } from "./sqs.ts";

const never = new AbortController().signal;
const own: Credentials = {
  accessKeyId: AWS_KEYS.access_key_id,
  secretAccessKey: AWS_KEYS.secret_access_key,
};

function connection(more: Partial<AwsConnection> = {}): AwsConnection {
  const credentials = { get: () => Promise.resolve(own), forget: () => {} };
  return { region: "eu-central-1", credentials, version: "0", clock: Date.now, ...more };
}

async function serve(t: Test, options: AwsServerOptions = {}): Promise<AwsServer> {
  const server = await new AwsServer(options).start();
  t.teardown(() => server.stop());
  return server;
}

function store(t: Test, server: AwsServer, more: Partial<AwsConnection> = {}): S3 {
  const s3 = new S3({ connection: connection(more), endpoint: server.url });
  t.teardown(() => s3.close());
  return s3;
}

async function read(s3: S3, key: string): Promise<string> {
  const { body } = await s3.get("b", key, never);
  return Buffer.from(await readWithin(body, 1e9)).toString();
}

async function errorOf(action: Promise<unknown>): Promise<RetryableError> {
  const error = await action.then(() => undefined, (error: unknown) => error);
  if (error instanceof RetryableError) return error;
  throw new Error(`Expected a RetryableError, there is ${String(error)}`);
}

// Every printable sign, what URLs take as steps, what XML cannot hold, and what is not ASCII.
const KEYS = [
  ..." !\"#$%&'()*+,-.:;<=>?@[\\]^_`{|}~".split("").map((sign) => `k${sign}1`),
  "a/../b",
  "./a",
  "a//b",
  "%2e%2e/c",
  "a%20b+c d",
  "grüße/日本/😀.json",
  "\u0001\u001f\u007f",
  "end/ ",
];

t.test("S3 lists and reads keys with any character, and signs each as it is sent", async (t) => {
  const server = await serve(t, { pageMax: 7 });
  for (const key of KEYS) server.put("b", key, `in ${key}`, { metadata: { name: "x" } });
  const s3 = store(t, server);
  const listed: string[] = [];
  for await (const page of s3.list({ bucket: "b" }, never)) {
    listed.push(...page.objects.map(({ key }) => key));
  }
  const order = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));
  t.strictSame(listed, [...KEYS].sort(order));
  for (const key of KEYS) t.equal(await read(s3, key), `in ${key}`);
  const { metadata, size } = await s3.head("b", "a/../b", never);
  t.match({ metadata, size }, { metadata: { name: "x" }, size: 9 });
});

t.test("list() begins behind a key, stays below a prefix and gives folders", async (t) => {
  const server = await serve(t, { pageMax: 2 });
  for (const key of ["p/1", "p/2", "p/3", "p/f/4", "p/g/5", "q/6"]) server.put("b", key, "");
  const s3 = store(t, server);
  const found: string[] = [];
  const request = { bucket: "b", prefix: "p/", startAfter: "p/1", delimiter: "/" };
  for await (const { objects, folders } of s3.list(request, never)) {
    found.push(...objects.map(({ key }) => key), ...folders);
  }
  t.strictSame(found, ["p/2", "p/3", "p/f/", "p/g/"]);
});

t.test("a bucket is in the path under an endpoint", async (t) => {
  const hosts: string[] = [];
  const server = createServer((request, response) => {
    hosts.push(`${request.headers.host} ${request.url}`);
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(() => new Promise((resolve) => server.close(resolve)));
  const { port } = server.address() as AddressInfo;
  for (const forcePathStyle of [undefined, true]) {
    const endpoint = `http://localhost:${port}`;
    const s3 = new S3({ connection: connection(), endpoint, forcePathStyle });
    t.teardown(() => s3.close());
    await s3.get("my-bucket", "a b", never);
  }
  t.strictSame(hosts, Array(2).fill(`localhost:${port} /my-bucket/a%20b`));
});

t.test("what passes is tried again, and what does not is told with AWS's own name", async (t) => {
  const server = await serve(t);
  server.put("b", "k", "x");
  const s3 = store(t, server);
  for (const fault of [{ status: 503, code: "SlowDown" }, { reset: true } as const]) {
    let left = 2;
    server.fault = () => left-- > 0 ? fault : undefined;
    t.equal(await read(s3, "k"), "x", "after two faults");
  }
  server.fault = () => ({ status: 503, code: "SlowDown", headers: { "retry-after": "0" } });
  const slow = await errorOf(s3.get("b", "k", never));
  t.match(slow, { code: "SlowDown", afterMs: 0 });
  const before = server.requests.length;
  server.fault = () => ({ status: 403, code: "AccessDenied" });
  const denied = await errorOf(s3.get("b", "k", never));
  t.match(denied, {
    code: "AccessDenied",
    message: /^Cannot read object "s3:\/\/b\/k": Acc.*grant/,
  });
  t.equal(server.requests.length, before + 1, "a refusal is not asked for twice");
  server.fault = () => undefined;
  t.equal((await errorOf(s3.get("b", "none", never))).code, "NoSuchKey");
  t.equal((await errorOf(s3.head("b", "none", never))).code, "Http404");
  t.equal((await errorOf(s3.get("none", "k", never))).code, "NoSuchBucket");
  server.fault = () => ({
    status: 301,
    code: "PermanentRedirect",
    headers: { "x-amz-bucket-region": "eu-west-1" },
  });
  t.match((await errorOf(s3.get("b", "k", never))).message, /write region: eu-west-1$/);
});

t.test("a body that breaks off is an error, not an end", async (t) => {
  const server = await serve(t);
  server.put("b", "k", Buffer.alloc(1_000_000));
  server.fault = () => ({ cutAt: 300_000 });
  const s3 = store(t, server);
  const { body } = await s3.get("b", "k", never);
  const error = await errorOf(readWithin(body, 1e9));
  t.match(error.message, /^Cannot read object "s3:\/\/b\/k": /);
  t.equal(failureOf(error), undefined, "nobody answered");
});

t.test("an answer that does not come in time, and a stop, end a request", async (t) => {
  const server = createServer(() => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(() => new Promise((resolve) => server.closeAllConnections() ?? server.close(resolve)));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const s3 = new S3({ connection: connection({ timeoutMs: 100, retriesMax: 0 }), endpoint });
  t.teardown(() => s3.close());
  t.equal((await errorOf(s3.get("b", "k", never))).code, "UND_ERR_HEADERS_TIMEOUT");
  const stopped = new AbortController();
  const answer = s3.get("b", "k", stopped.signal);
  stopped.abort(new Error("Stopped"));
  await t.rejects(answer, { message: "Stopped" });
  await s3.close();
  await s3.close();
});

t.test("a wrong clock is learnt from the answer and signed with from then on", async (t) => {
  const server = await serve(t, { clock: () => Date.now() + 3_600_000 });
  server.put("b", "k", "x");
  const s3 = store(t, server);
  t.equal(await read(s3, "k"), "x");
  t.equal(server.requests.length, 2);
  t.equal(await read(s3, "k"), "x");
  t.equal(server.requests.length, 3, "not learnt twice");
});

t.test("credentials that are refused are read anew, once for a request", async (t) => {
  const server = await serve(t);
  server.put("b", "k", "x");
  let reads = 0;
  const options = { region: "r", sessionName: "s", clock: Date.now };
  const credentials = new CredentialSource(options, async () => {
    return ++reads === 1 ? { accessKeyId: "OLD", secretAccessKey: "x" } : own;
  });
  const s3 = store(t, server, { credentials });
  t.equal(await read(s3, "k"), "x");
  t.equal(reads, 2);
  server.fault = () => ({ status: 400, code: "ExpiredToken" });
  const error = await errorOf(s3.get("b", "k", never));
  t.match(error, { code: "ExpiredToken", message: /renew the credentials, they are read again$/ });
});

t.test("credentials are kept while they hold, also when they cannot be renewed", async (t) => {
  let now = 0;
  let reads = 0;
  let fails = false;
  const options = { region: "r", sessionName: "s", clock: () => now, roleArn: "arn:x" };
  const source = new CredentialSource(options, async () => {
    reads++;
    if (fails) throw new Error("No STS");
    return { ...own, expiration: new Date(now + 3_600_000) };
  });
  await Promise.all([source.get(), source.get()]);
  t.equal(reads, 1, "read once for two");
  now = 3_400_000;
  fails = true;
  t.match(await source.get(), own, "the old ones still hold");
  now = 3_700_000;
  const error = await errorOf(source.get());
  t.match(error, { code: "NoCredentials", message: /Cannot assume role "arn:x": No STS; check/ });
  fails = false;
  t.match(await source.get(), own, "mended");
});

t.test("AWS's own chain is asked, and says what to do when it finds nothing", async (t) => {
  const home = await mkdtemp(join(tmpdir(), "cairn-aws-"));
  const file = join(home, "credentials");
  const names = {
    AWS_SHARED_CREDENTIALS_FILE: file,
    AWS_CONFIG_FILE: join(home, "config"),
    AWS_EC2_METADATA_DISABLED: "true",
    AWS_ACCESS_KEY_ID: undefined,
    AWS_SECRET_ACCESS_KEY: undefined,
    AWS_SESSION_TOKEN: undefined,
    AWS_PROFILE: undefined,
    AWS_WEB_IDENTITY_TOKEN_FILE: undefined,
    AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: undefined,
    AWS_CONTAINER_CREDENTIALS_FULL_URI: undefined,
  };
  const before = Object.keys(names).map((name) => [name, process.env[name]] as const);
  const set = (entries: Iterable<readonly [string, string | undefined]>) => {
    for (const [name, value] of entries) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  };
  set(Object.entries(names));
  t.teardown(async () => {
    set(before);
    await rm(home, { recursive: true });
  });
  const options = { region: "r", sessionName: "s", clock: Date.now };
  const chain = new CredentialSource(options);
  t.match(
    (await errorOf(chain.get())).message,
    /^Cannot find AWS credentials: .*AWS_ACCESS_KEY_ID/,
  );
  await writeFile(file, "[default]\naws_access_key_id=A\naws_secret_access_key=S\n");
  const first = await chain.get();
  t.match(first, { accessKeyId: "A", secretAccessKey: "S" });
  await writeFile(file, "[default]\naws_access_key_id=B\naws_secret_access_key=S\n");
  chain.forget(first);
  t.match(await chain.get(), { accessKeyId: "B" }, "the file is read again");
  const keys = {
    accessKeyId: "C",
    secretAccessKey: new Secret("T"),
    sessionToken: new Secret("U"),
  };
  t.strictSame(await new CredentialSource({ ...options, ...keys }).get(), {
    accessKeyId: "C",
    secretAccessKey: "T",
    sessionToken: "U",
  });
});

t.test("readFailure() reads what AWS's protocols and strangers answer", async (t) => {
  const of = async (body: string, headers = {}) => {
    const { code, message } = await readFailure(400, headers, Buffer.from(body));
    return [code, message];
  };
  t.strictSame(await of('{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"m"}'), [
    "QueueDoesNotExist",
    "m",
  ]);
  t.strictSame(await of("{}", { "x-amzn-errortype": "Throttling:http://x/" }), ["Throttling", ""]);
  t.strictSame(
    await of(
      "<ErrorResponse><Error><Code>X</Code><Message>a &amp; b</Message></Error></ErrorResponse>",
    ),
    ["X", "a & b"],
  );
  for (const body of ["", "<html>", "<a>".repeat(50_000), "nginx", "[1]", "\x00"]) {
    t.strictSame((await of(body))[0], "Http400");
  }
});

t.test("a proxy of the environment is asked for plain requests", async (t) => {
  const asked: string[] = [];
  const proxy = createServer().on("connect", (request, socket) => {
    asked.push(request.url ?? "");
    socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  t.teardown(() => new Promise((resolve) => proxy.close(resolve)));
  process.env.https_proxy = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  t.teardown(() => delete process.env.https_proxy);
  const s3 = new S3({ connection: connection({ retriesMax: 0 }) });
  t.teardown(() => s3.close());
  await errorOf(s3.get("my-bucket", "k", never));
  t.strictSame(asked, ["my-bucket.s3.eu-central-1.amazonaws.com:443"]);
});

t.test("an unsigned payload is only sent where it is asked for", async (t) => {
  const hashes: unknown[] = [];
  const server = createServer((request, response) => {
    hashes.push(request.headers["x-amz-content-sha256"], request.headers["user-agent"]);
    request.resume().on("end", () => response.end());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(() => new Promise((resolve) => server.close(resolve)));
  const client = new AwsClient("s3", connection());
  t.teardown(() => client.close());
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const request = {
    action: "a",
    method: "PUT",
    origin,
    path: "/b/k",
    body: "x",
    signal: never,
  } as const;
  await client.send(request);
  await client.send({ ...request, unsignedPayload: true });
  t.match(hashes, [/^2d711642/, "cairn/0", "UNSIGNED-PAYLOAD", "cairn/0"]);
});

t.test("SQS receives, hides and deletes messages", async (t) => {
  const server = await serve(t);
  const queue = new Sqs(server.queueUrl("q"), connection());
  t.teardown(() => queue.close());
  for (let i = 0; i < 12; i++) server.queues.send("q", `m${i}`);
  const options = { waitMs: 1000, visibilityMs: 30_000, signal: never };
  const first = await queue.receive(options);
  const second = await queue.receive(options);
  t.equal(first.length, 10);
  t.strictSame(second.map(({ body }) => body), ["m10", "m11"]);
  t.strictSame(await queue.receive({ ...options, waitMs: 0 }), [], "hidden from now on");
  t.strictSame(await queue.hide(second, 0, never), []);
  t.equal((await queue.receive(options)).length, 2, "shown again");
  t.strictSame(await queue.delete([...first, ...second], never), second, "old receipts");
  t.equal(server.queues.size("q"), 2);
  server.fault = () => ({ status: 400, code: "QueueDoesNotExist" });
  const error = await errorOf(queue.receive(options));
  t.match(error, { code: "QueueDoesNotExist", message: /^Cannot receive messages of queue "http/ });
});
