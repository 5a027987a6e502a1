// Looks at endpoints and certificates that a configuration names: is the port free, does somebody
// answer, is the name known, do the certificates load and hold for a while?

import { Buffer } from "node:buffer";
import { X509Certificate } from "node:crypto";
import { createSocket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { readFile } from "node:fs/promises";
import { connect, createServer, isIPv6 } from "node:net";
import { dirname } from "node:path";
import { checkWritableFolder, reasonOf } from "./check-path.ts";
import { type Endpoint, formatEndpoint } from "./endpoint.ts";
import { ConfigError } from "./errors.ts";
import type { CheckContext, Finding } from "./finding.ts";
import { listenOn } from "./http-listen.ts";
import { loadServerTls, type ServerTlsConfig } from "./tls.ts";

const DAY_MS = 86_400_000;
// What sockaddr_un holds.
const SOCKET_PATH_BYTES_MAX = 107;
const WARN_BEFORE_MS = 14 * DAY_MS;

type Address = Exclude<Endpoint, { readonly path: string }>;

/** What a server listens with. */
export interface Listening {
  readonly endpoint: Endpoint;
  readonly tls?: ServerTlsConfig | undefined;
}

/** An endpoint that is listened to, and its certificates. `at`: what stands before their names. */
export async function checkListening(
  { endpoint, tls }: Listening,
  context: CheckContext,
  at = "",
  protocol: "tcp" | "udp" = "tcp",
): Promise<Finding[]> {
  const option = `${at}endpoint`;
  const findings = "path" in endpoint
    ? await checkSocketPath(endpoint.path, option, context)
    : [await checkPort(endpoint, option, context, protocol)];
  if (tls !== undefined) findings.push(...await checkServerTls(tls, `${at}tls`, context));
  return findings;
}

async function checkPort(
  endpoint: Address,
  option: string,
  context: CheckContext,
  protocol: "tcp" | "udp",
): Promise<Finding> {
  try {
    await (protocol === "udp" ? bindDatagrams(endpoint) : bind(endpoint));
    return { level: "ok", path: option, message: `"${formatEndpoint(endpoint)}" is free` };
  } catch (error) {
    const cause = error instanceof ConfigError ? error.cause : error;
    const { code } = cause as NodeJS.ErrnoException;
    const isOwn = code === "EADDRINUSE" && context.agentRuns;
    const told = error instanceof ConfigError ? error.problems[0]?.problem : undefined;
    const message = told ?? `Cannot listen on "${formatEndpoint(endpoint)}": ${reasonOf(error)}`;
    if (isOwn) {
      return {
        level: "warning",
        path: option,
        message: `${message}, perhaps by the running agent`,
      };
    }
    const fix = code === "EACCES" ? "ports below 1024 need CAP_NET_BIND_SERVICE" : ADVICE;
    return { level: "problem", path: option, message, fix };
  }
}

const ADVICE = "stop what listens there, or name another endpoint";

async function bind(endpoint: Endpoint): Promise<void> {
  const server = createServer();
  await listenOn(server, endpoint);
  await new Promise((done) => server.close(done));
}

function bindDatagrams({ host, port }: Address): Promise<void> {
  const socket = createSocket(isIPv6(host) ? "udp6" : "udp4");
  return new Promise((done, fail) => {
    socket.once("error", (error) => {
      socket.close();
      fail(error);
    });
    socket.bind({ address: host, port, exclusive: true }, () => socket.close(() => done()));
  });
}

/** A unix socket is not made for a look: its folder has to be writable, and nobody behind it. */
async function checkSocketPath(
  path: string,
  option: string,
  context: CheckContext,
): Promise<Finding[]> {
  if (Buffer.byteLength(path) > SOCKET_PATH_BYTES_MAX) {
    const message = `Path of the socket is longer than ${SOCKET_PATH_BYTES_MAX} bytes`;
    return [{ level: "problem", path: option, message, fix: "name a shorter one" }];
  }
  const folder = await checkWritableFolder(dirname(path), option);
  const failure = await tryConnect({ path }, context.signal);
  if (failure !== undefined) return folder;
  const message = `Somebody listens on "unix://${path}" already`;
  if (context.agentRuns) {
    return [{ level: "warning", path: option, message: `${message}, perhaps the running agent` }];
  }
  return [{ level: "problem", path: option, message, fix: ADVICE }];
}

/** Somebody to connect to. That nobody answers now is a warning: it may be started later. */
export async function checkConnects(
  endpoint: Endpoint,
  option: string,
  { signal }: CheckContext,
): Promise<Finding[]> {
  const failure = await tryConnect(endpoint, signal);
  const shown = formatEndpoint(endpoint);
  if (failure === undefined) return [{ level: "ok", path: option, message: `"${shown}" answers` }];
  const isDenied = (failure as NodeJS.ErrnoException).code === "EACCES";
  return [{
    level: isDenied ? "problem" : "warning",
    path: option,
    message: `Cannot connect to "${shown}": ${reasonOf(failure)}`,
    fix: isDenied ? "let the agent's user use the socket, by its group" : "is it running there?",
  }];
}

function tryConnect(endpoint: Endpoint, signal: AbortSignal): Promise<Error | undefined> {
  return new Promise((done) => {
    const socket = connect(endpoint);
    const end = (failure?: Error) => {
      signal.removeEventListener("abort", give);
      socket.destroy();
      done(failure);
    };
    const give = () => end(new Error("no answer in time"));
    signal.addEventListener("abort", give);
    socket.once("connect", () => end());
    socket.once("error", end);
  });
}

/** A host that is to be known by name. */
export async function checkResolves(host: string, option: string): Promise<Finding[]> {
  try {
    const { address } = await lookup(host);
    return [{ level: "ok", path: option, message: `Host "${host}" is ${address}` }];
  } catch (error) {
    const message = `Cannot resolve host "${host}": ${reasonOf(error)}`;
    return [{ level: "problem", path: option, message, fix: "check the name, and DNS" }];
  }
}

/** The certificates of a server: they load, fit together, and hold for another two weeks. */
export async function checkServerTls(
  tls: ServerTlsConfig,
  option: string,
  { clock }: CheckContext,
): Promise<Finding[]> {
  try {
    await loadServerTls(tls, option);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ path, problem, fix }) => ({
      level: "problem",
      path,
      message: problem,
      ...(fix !== undefined && { fix }),
    }));
  }
  const own = checkCertificates(tls.cert_file, `${option}.cert_file`, clock());
  const authorities = tls.client_ca_file === undefined
    ? []
    : checkCertificates(tls.client_ca_file, `${option}.client_ca_file`, clock());
  return [...await own, ...await authorities];
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** A file of certificates, as PEM: whether it can be read, and how long each of them holds. */
export async function checkCertificates(
  file: string,
  option: string,
  now: number,
): Promise<Finding[]> {
  let certificates: X509Certificate[];
  try {
    const text = await readFile(file, "utf8");
    certificates = Array.from(text.match(CERTIFICATE) ?? [], (pem) => new X509Certificate(pem));
    if (certificates.length === 0) throw new Error("no certificate in it");
  } catch (error) {
    const message = `Cannot use certificates "${file}": ${reasonOf(error)}`;
    return [{ level: "problem", path: option, message, fix: "name a PEM file" }];
  }
  const findings = certificates.flatMap((certificate) => checkDates(certificate, option, now));
  if (findings.length > 0) return findings;
  const ends = Math.min(...certificates.map(({ validTo }) => Date.parse(validTo)));
  return [{ level: "ok", path: option, message: `Certificates hold until ${day(ends)}` }];
}

function checkDates(certificate: X509Certificate, option: string, now: number): Finding[] {
  const from = Date.parse(certificate.validFrom);
  const to = Date.parse(certificate.validTo);
  const name = `Certificate "${certificate.subject.replaceAll("\n", ", ")}"`;
  const fix = "renew it; the agent takes the new one by itself";
  if (now < from) {
    const message = `${name} holds only from ${day(from)} on`;
    return [{ level: "problem", path: option, message, fix: "check the clock" }];
  }
  if (now > to) {
    return [{ level: "problem", path: option, message: `${name} ended on ${day(to)}`, fix }];
  }
  if (now < to - WARN_BEFORE_MS) return [];
  return [{ level: "warning", path: option, message: `${name} ends on ${day(to)}`, fix }];
}

function day(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
