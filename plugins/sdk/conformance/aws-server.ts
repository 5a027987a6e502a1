// AwsServer: S3 and SQS over real HTTP for tests, in memory. It checks every signature by its own
// reckoning, over the path as it came, and fails, cuts or resets answers when a test says so.

import { Buffer } from "node:buffer";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { AwsQueues } from "./aws-queues.ts";
import { signatureRefusal } from "./aws-signature.ts";

export { AWS_KEYS } from "./aws-signature.ts";

/** A request as it came. */
export interface AwsServerRequest {
  readonly method: string;
  readonly bucket: string;
  /** Decoded. */
  readonly key: string;
  /** Of a listing. */
  readonly query: URLSearchParams;
  /** Of a queue: `AmazonSQS.ReceiveMessage`. */
  readonly target: string | undefined;
}

/** What happens instead of an answer: an error, a reset, or an answer cut after some bytes. */
export type AwsFault =
  | { readonly status: number; readonly code: string; readonly headers?: Record<string, string> }
  | { readonly reset: true }
  | { readonly cutAt: number };

interface StoredObject {
  readonly bytes: Uint8Array;
  readonly metadata: Readonly<Record<string, string>>;
  readonly modifiedAt: number;
}

/** How to make one. */
export interface AwsServerOptions {
  /** Keys and folders in a page of a listing; S3 gives 1,000. */
  readonly pageMax?: number;
  /** The server's time; 5 minutes away from the signed one is too much. */
  readonly clock?: () => number;
}

/** See above. */
export class AwsServer {
  readonly requests: AwsServerRequest[] = [];
  readonly queues: AwsQueues = new AwsQueues();
  /** Decides for each request. */
  fault: (request: AwsServerRequest) => AwsFault | undefined = () => undefined;
  readonly #objects = new Map<string, Map<string, StoredObject>>();
  readonly #options: AwsServerOptions;
  readonly #server: Server;

  constructor(options: AwsServerOptions = {}) {
    this.#options = options;
    this.#server = createServer((request, response) => {
      // Who goes away in the middle of a request wants no answer.
      this.#answer(request, response).catch(() => response.destroy());
    });
  }

  /** Listens on a free port of 127.0.0.1. */
  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return this;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The URL of a queue, which need not be made. */
  queueUrl(name: string): string {
    return `${this.url}/111122223333/${name}`;
  }

  put(
    bucket: string,
    key: string,
    bytes: Uint8Array | string,
    more: { metadata?: Readonly<Record<string, string>>; modifiedAt?: number } = {},
  ): void {
    const { metadata = {}, modifiedAt = this.#now() } = more;
    const objects = this.#objects.get(bucket) ?? new Map<string, StoredObject>();
    this.#objects.set(
      bucket,
      objects.set(key, { bytes: Buffer.from(bytes), metadata, modifiedAt }),
    );
  }

  delete(bucket: string, key: string): void {
    this.#objects.get(bucket)?.delete(key);
  }

  /** How many requests there were that the condition holds for. */
  count(condition: (request: AwsServerRequest) => boolean): number {
    return this.requests.filter(condition).length;
  }

  #now(): number {
    return this.#options.clock?.() ?? Date.now();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const [path = "", query = ""] = (request.url ?? "").split("?");
    const [bucket = "", ...key] = path.slice(1).split("/").map(decodeURIComponent);
    const seen: AwsServerRequest = {
      method: request.method ?? "",
      bucket,
      key: key.join("/"),
      query: new URLSearchParams(query),
      target: request.headers["x-amz-target"]?.toString(),
    };
    this.requests.push(seen);
    response.setHeader("date", new Date(this.#now()).toUTCString());
    response.setHeader("x-amz-request-id", `R${this.requests.length}`);
    const fault = this.fault(seen);
    if (fault !== undefined && "reset" in fault) return void request.socket.destroy();
    if (fault !== undefined && "status" in fault) {
      for (const [name, value] of Object.entries(fault.headers ?? {})) {
        response.setHeader(name, value);
      }
      return sendError(seen, response, fault.status, fault.code);
    }
    const refused = signatureRefusal(request, body, this.#now());
    if (refused !== undefined) return sendError(seen, response, 403, refused);
    if (seen.target !== undefined) return await this.queues.answer(seen.target, body, response);
    const objects = this.#objects.get(bucket);
    if (objects === undefined) return sendError(seen, response, 404, "NoSuchBucket");
    if (seen.key === "") return this.#list(objects, seen.query, response);
    const object = objects.get(seen.key);
    if (object === undefined) return sendError(seen, response, 404, "NoSuchKey");
    sendObject(seen, object, response, fault?.cutAt);
  }

  #list(
    objects: ReadonlyMap<string, StoredObject>,
    query: URLSearchParams,
    response: ServerResponse,
  ): void {
    const { pageMax = 1000 } = this.#options;
    const prefix = query.get("prefix") ?? "";
    const delimiter = query.get("delimiter") ?? "";
    const token = query.get("continuation-token");
    const after = token === null ? query.get("start-after") ?? "" : decodeForm(token);
    const keys = [...objects.keys()].filter((key) => key.startsWith(prefix))
      .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    const names = new Set(keys.map((key) => {
      const end = delimiter === "" ? -1 : key.indexOf(delimiter, prefix.length);
      return end < 0 ? key : key.slice(0, end + delimiter.length);
    }));
    const rest = [...names].filter((name) =>
      Buffer.compare(Buffer.from(name), Buffer.from(after)) > 0
    );
    const page = rest.slice(0, pageMax);
    const more = rest.length > page.length;
    const text = page.map((name) => {
      const isFolder = delimiter !== "" && name.endsWith(delimiter) && name !== prefix;
      const object = isFolder ? undefined : objects.get(name);
      if (object === undefined) {
        return `<CommonPrefixes><Prefix>${form(name)}</Prefix></CommonPrefixes>`;
      }
      const time = new Date(object.modifiedAt).toISOString();
      return `<Contents><Key>${form(name)}</Key><LastModified>${time}</LastModified>` +
        `<Size>${object.bytes.length}</Size></Contents>`;
    });
    const next = more ? `<NextContinuationToken>${form(page.at(-1)!)}</NextContinuationToken>` : "";
    response.setHeader("content-type", "application/xml");
    response.end(
      `<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/">` +
        `<EncodingType>url</EncodingType><IsTruncated>${more}</IsTruncated>${next}` +
        `${text.join("")}</ListBucketResult>`,
    );
  }
}

function sendObject(
  { method }: AwsServerRequest,
  { bytes, metadata }: StoredObject,
  response: ServerResponse,
  cutAt: number | undefined,
): void {
  response.setHeader("content-length", bytes.length);
  for (const [name, value] of Object.entries(metadata)) {
    response.setHeader(`x-amz-meta-${name}`, value);
  }
  if (method === "HEAD") return void response.end();
  if (cutAt === undefined) return void response.end(bytes);
  response.write(bytes.subarray(0, cutAt), () => response.socket?.destroy());
}

function sendError(
  { target }: AwsServerRequest,
  response: ServerResponse,
  status: number,
  code: string,
): void {
  response.statusCode = status;
  if (target !== undefined) {
    return void response.end(
      JSON.stringify({ __type: `com.amazonaws.sqs#${code}`, message: "No" }),
    );
  }
  response.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>No</Message></Error>`);
}

/** As S3 encodes keys in listings: like a form, with slashes as they are. */
function form(key: string): string {
  return encodeURIComponent(key).replaceAll("%20", "+").replaceAll("%2F", "/");
}

function decodeForm(text: string): string {
  return decodeURIComponent(text.replaceAll("+", " "));
}
