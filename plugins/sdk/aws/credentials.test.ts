// Every link of AWS's chain against real endpoints on 127.0.0.1: which credentials are found, what
// is asked for them, and that those that vanish, hang or seem old are waited for.

import t, { type Test } from "tap";
import { Buffer } from "node:buffer";
import { hash } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingHttpHeaders } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { AWS_KEYS, signatureRefusal } from "../conformance/aws-signature.ts";
import { FaultyServer } from "../conformance/faulty-server.ts";
import { startMoto } from "../conformance/moto-server.ts";
import { RetryableError } from "../errors.ts";
import { Secret } from "../secret.ts";
import { CredentialSource } from "./credentials.ts";
import { S3 } from "./s3.ts";

const SIGNAL = new AbortController().signal;
const ROLE = "arn:aws:iam::111122223333:role/audit";
const OPTIONS = { region: "eu-central-1", sessionName: "cairn-h", version: "9", clock: Date.now };
const OWN = { accessKeyId: "OWN", secretAccessKey: new Secret("S") };
const EXPIRES = "2099-01-01T00:00:00Z";

/** An empty home and none of the variables that the chain reads, but those given. */
async function surroundings(t: Test, variables: Readonly<Record<string, string>> = {}) {
  const home = await mkdtemp(join(tmpdir(), "cairn-credentials-"));
  await mkdir(join(home, ".aws", "sso", "cache"), { recursive: true });
  const before = { ...process.env };
  for (const name of Object.keys(process.env)) {
    if (/^AWS_|_proxy$/i.test(name)) delete process.env[name];
  }
  Object.assign(process.env, { HOME: home, AWS_EC2_METADATA_DISABLED: "true", ...variables });
  t.teardown(async () => {
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
    Object.assign(process.env, before);
    await rm(home, { recursive: true });
  });
  return home;
}

interface Asked {
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly form: URLSearchParams;
}

/** STS, SSO, the endpoint of containers and the metadata of an instance, in one. */
async function authorities(t: Test) {
  const asked: Asked[] = [];
  const server = await new FaultyServer(({ path, headers, body }) => {
    asked.push({ url: path, headers, form: new URLSearchParams(Buffer.from(body).toString()) });
    const text = answerTo(path.split("?")[0]!, asked.at(-1)!.form);
    return { status: text === undefined ? 404 : 200, body: text ?? "" };
  }).start();
  t.teardown(() => server.stop());
  return { asked, server };
}

function answerTo(path: string, form: URLSearchParams): string | undefined {
  const keys = (id: string) => ({ AccessKeyId: id, SecretAccessKey: "S", Token: "T" });
  const json = (id: string) =>
    JSON.stringify({ ...keys(id), Expiration: EXPIRES, Code: "Success" });
  const metadata = "/latest/meta-data/iam/security-credentials/";
  if (path === "/container") return json("CONTAINER");
  if (path === "/latest/api/token") return "token";
  if (path === metadata) return "machine";
  if (path === `${metadata}machine`) return json("INSTANCE");
  if (path === "/federation/credentials") {
    const { AccessKeyId: accessKeyId, ...rest } = keys("SSO");
    const expiration = Date.parse(EXPIRES);
    const roleCredentials = { accessKeyId, secretAccessKey: rest.SecretAccessKey, expiration };
    return JSON.stringify({ roleCredentials: { ...roleCredentials, sessionToken: rest.Token } });
  }
  const action = form.get("Action");
  return action === null ? undefined : `<${action}Response><${action}Result><Credentials>
    <AccessKeyId>${action}</AccessKeyId><SecretAccessKey>S</SecretAccessKey>
    <SessionToken>T</SessionToken><Expiration>${EXPIRES}</Expiration>
    </Credentials></${action}Result></${action}Response>`;
}

async function errorOf(action: Promise<unknown>): Promise<RetryableError> {
  const error = await action.then(() => undefined, (error: unknown) => error);
  if (error instanceof RetryableError) return error;
  throw new Error(`Expected a RetryableError, there is ${String(error)}`);
}

async function found(more: object = {}): Promise<string> {
  return (await new CredentialSource({ ...OPTIONS, ...more }).get()).accessKeyId;
}

t.test("the environment and a profile are asked", async (t) => {
  const home = await surroundings(t, { AWS_ACCESS_KEY_ID: "ENV", AWS_SECRET_ACCESS_KEY: "S" });
  const text = "[other]\naws_access_key_id=OTHER\naws_secret_access_key=S\n";
  await writeFile(join(home, ".aws", "credentials"), text);
  t.equal(await found(), "ENV");
  t.equal(await found({ profile: "other" }), "OTHER");
});

t.test("SSO is asked with the token of `aws sso login`", async (t) => {
  const { server, asked } = await authorities(t);
  const home = await surroundings(t, { AWS_ENDPOINT_URL_SSO: server.url });
  const start = "https://acme.example/start";
  const lines = [`[profile sso]`, `sso_start_url=${start}`, "sso_region=eu-central-1"];
  lines.push("sso_account_id=111122223333", "sso_role_name=audit");
  await writeFile(join(home, ".aws", "config"), lines.join("\n"));
  t.match(
    (await errorOf(new CredentialSource({ ...OPTIONS, profile: "sso" }).get())).message,
    /SSO/,
  );
  const token = { startUrl: start, accessToken: "A", expiresAt: EXPIRES };
  const name = `${hash("sha1", start)}.json`;
  await writeFile(join(home, ".aws", "sso", "cache", name), JSON.stringify(token));
  t.equal(await found({ profile: "sso" }), "SSO");
  t.match(asked[0]!.url, /role_name=audit/);
  t.match(asked[0]!.url, /account_id=111122223333/);
  t.match(asked[0]!.headers["user-agent"], /^cairn\/9 /);
});

t.test("a web identity, as Kubernetes gives it, is changed for a role", async (t) => {
  const { server, asked } = await authorities(t);
  const home = await surroundings(t, { AWS_ENDPOINT_URL_STS: server.url, AWS_REGION: "eu-west-1" });
  const file = join(home, "token");
  await writeFile(file, "jwt");
  Object.assign(process.env, { AWS_WEB_IDENTITY_TOKEN_FILE: file, AWS_ROLE_ARN: ROLE });
  t.equal(await found(), "AssumeRoleWithWebIdentity");
  t.equal(asked[0]!.form.get("WebIdentityToken"), "jwt");
  t.equal(asked[0]!.form.get("RoleArn"), ROLE);
});

t.test("a container's endpoint is asked with its token, an instance's with a session", async (t) => {
  const { server, asked } = await authorities(t);
  const home = await surroundings(t, {
    AWS_CONTAINER_CREDENTIALS_FULL_URI: `${server.url}/container`,
  });
  const file = join(home, "token");
  await writeFile(file, "pod");
  process.env.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE = file;
  t.equal(await found(), "CONTAINER");
  t.equal(asked[0]!.headers.authorization, "pod");
  delete process.env.AWS_CONTAINER_CREDENTIALS_FULL_URI;
  delete process.env.AWS_EC2_METADATA_DISABLED;
  process.env.AWS_EC2_METADATA_SERVICE_ENDPOINT = server.url;
  t.equal(await found(), "INSTANCE");
  t.equal(asked.at(-1)!.headers["x-aws-ec2-metadata-token"], "token", "version 2");
});

t.test("a role is assumed with an external id, as the agent, and moto's STS agrees", async (t) => {
  const { server, asked } = await authorities(t);
  await surroundings(t, { AWS_ENDPOINT_URL_STS: server.url });
  t.equal(await found({ ...OWN, roleArn: ROLE, externalId: "acme-7" }), "AssumeRole");
  const [{ form, headers }] = asked as [Asked];
  t.strictSame(
    ["RoleArn", "RoleSessionName", "ExternalId"].map((name) => form.get(name)),
    [ROLE, "cairn-h", "acme-7"],
  );
  t.match(headers.authorization, /Credential=OWN\//);
  t.match(headers["user-agent"], /^cairn\/9 /);
  const moto = await startMoto(t);
  if (moto === undefined) return;
  process.env.AWS_ENDPOINT_URL_STS = moto;
  t.match(await found({ ...OWN, roleArn: ROLE, externalId: "acme-7" }), /^ASIA/);
});

t.test("STS and a bucket in the host's name are reached through the environment's proxy", async (t) => {
  const refusals: (string | undefined)[] = [];
  const { server } = await authorities(t);
  const bucket = createServer((request, response) => {
    refusals.push(`${request.headers.host}${request.url}`);
    refusals.push(signatureRefusal(request, new Uint8Array(0), Date.now()));
    response.end("text");
  });
  const hosts: string[] = [];
  const proxy = createServer().on("connect", (request, socket) => {
    hosts.push(request.url ?? "");
    const { port } = request.url!.startsWith("sts.")
      ? new URL(server.url)
      : bucket.address() as AddressInfo;
    const through = connect(Number(port), "127.0.0.1");
    socket.write("HTTP/1.1 200 Connected\r\n\r\n");
    socket.pipe(through).pipe(socket);
    for (const end of [socket, through]) end.on("error", () => {});
  });
  for (const each of [bucket, proxy]) {
    await new Promise<void>((resolve) => each.listen(0, "127.0.0.1", resolve));
    t.teardown(() => new Promise((resolve) => each.close(resolve)));
  }
  await surroundings(t, {
    HTTP_PROXY: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    AWS_ENDPOINT_URL_STS: "http://sts.example.test",
  });
  t.equal(await found({ ...OWN, roleArn: ROLE }), "AssumeRole");
  const { access_key_id: accessKeyId, secret_access_key: secret } = AWS_KEYS;
  const credentials = new CredentialSource({
    ...OPTIONS,
    accessKeyId,
    secretAccessKey: new Secret(secret),
  });
  const s3 = new S3({
    connection: { region: "eu-central-1", credentials, version: "9", clock: Date.now },
    endpoint: "http://store.example.test",
    forcePathStyle: false,
  });
  t.teardown(() => s3.close());
  (await s3.get("my-bucket", "a b/%41+ü", SIGNAL)).discard();
  t.strictSame(hosts, ["sts.example.test:80", "my-bucket.store.example.test:80"]);
  t.strictSame(refusals, ["my-bucket.store.example.test/a%20b/%2541%2B%C3%BC", undefined]);
});

t.test("credentials that vanish are waited for, and found when they are back", async (t) => {
  const { server } = await authorities(t);
  await surroundings(t, { AWS_ENDPOINT_URL_STS: server.url });
  const source = new CredentialSource({ ...OPTIONS, ...OWN, roleArn: ROLE });
  server.script([{ status: 403, code: "AccessDenied" }]);
  const error = await errorOf(source.get());
  t.match(error, { code: "NoCredentials", message: /role ".*audit".*they are read again$/ });
  t.equal((await source.get()).accessKeyId, "AssumeRole");
});

t.test("who takes the question and never answers holds up one reading, not all", async (t) => {
  const { server } = await authorities(t);
  await surroundings(t, { AWS_CONTAINER_CREDENTIALS_FULL_URI: `${server.url}/container` });
  const source = new CredentialSource({ ...OPTIONS, readMs: 300 });
  server.script(["silence"]);
  const [error] = await Promise.all([errorOf(source.get()), errorOf(source.get())]);
  t.match(error, { code: "NoCredentials", message: /No answer in 300 ms/ });
  t.equal((await source.get()).accessKeyId, "CONTAINER");
});

t.test("credentials that seem old to a wrong clock are read once a minute", async (t) => {
  let now = 0;
  let reads = 0;
  const source = new CredentialSource({ ...OPTIONS, clock: () => now }, () => {
    reads++;
    const keys = { accessKeyId: "A", secretAccessKey: "S" };
    return Promise.resolve({ ...keys, expiration: new Date(now - 1) });
  });
  for (const at of [0, 59_999, 60_000, 61_000]) {
    now = at;
    await source.get();
  }
  t.equal(reads, 2);
});
