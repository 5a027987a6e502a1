// S3 and stores that speak like it: listing a bucket, reading an object or what is known of it, and
// the one way to send a request to either. Writing stands in s3-write.ts.

import { Buffer } from "node:buffer";
import { RetryableError } from "../errors.ts";
import { type AnswerHeaders, header } from "./aws-error.ts";
import { elements, parseXml, textOf, type XmlElement } from "./xml.ts";
import {
  type AwsAnswer,
  AwsClient,
  type AwsConnection,
  type AwsRequest,
  connectionError,
  encode,
  readWithin,
} from "./request.ts";

/** Where the store is. */
export interface S3Options {
  readonly connection: AwsConnection;
  /** Scheme, host and port of a store that is not AWS's own. */
  readonly endpoint?: string | undefined;
  /**
   * The bucket in the path instead of in the host's name; by default under an endpoint, and for
   * names that cannot be a host's.
   */
  readonly forcePathStyle?: boolean | undefined;
  /** Account that has to own the bucket, or every request is refused. */
  readonly expectedBucketOwner?: string | undefined;
}

/** A request to a bucket, or to an object of it. */
export interface S3Request extends Omit<AwsRequest, "origin" | "path"> {
  readonly bucket: string;
  /** Without one, it is about the bucket. */
  readonly key?: string;
}

/** Which part of a bucket to list. */
export interface ListRequest {
  readonly bucket: string;
  readonly prefix?: string;
  /** Keys beyond it are given as the folders they are in. */
  readonly delimiter?: string;
  /** Keys up to this one, itself too, are left out. */
  readonly startAfter?: string;
  readonly keysMax?: number;
}

/** An object as it is listed. */
export interface ListedObject {
  readonly key: string;
  readonly size: number;
  /** In milliseconds since the epoch. */
  readonly modifiedAt: number;
}

/** A part of a listing, at most 1,000 keys and folders, each in order. */
export interface ListedPage {
  readonly objects: readonly ListedObject[];
  /** Prefixes that end in the delimiter. */
  readonly folders: readonly string[];
}

/** What is known of an object. */
export interface ObjectHead {
  readonly size: number;
  readonly etag: string | undefined;
  /** What its owner attached to it, names in lower case without `x-amz-meta-`. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** An object that is being read. */
export interface OpenObject extends ObjectHead {
  /**
   * Its bytes, once: iterated to the end, or ended by a `return` of the iterator. Throws a
   * RetryableError where the connection breaks off.
   */
  readonly body: AsyncIterable<Uint8Array>;
  /** Gives up an object that is not read. */
  discard(): void;
}

// A page has at most 1,000 keys of 1,024 bytes, each of them three bytes in the answer.
const PAGE_BYTES_MAX = 16 * 1024 * 1024;

/** A bucket's name that can stand in a host's name under AWS's certificates. */
const HOST_NAME = /^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/;

/** A store. */
export class S3 {
  readonly #client: AwsClient;
  readonly #options: S3Options;

  constructor(options: S3Options) {
    this.#options = options;
    this.#client = new AwsClient("s3", options.connection);
  }

  /** Gives a listing page by page, in order of the keys' UTF-8 bytes. */
  async *list(request: ListRequest, signal: AbortSignal): AsyncGenerator<ListedPage> {
    const { bucket, prefix = "", delimiter, startAfter, keysMax } = request;
    const query: Record<string, string> = {
      "list-type": "2",
      "encoding-type": "url",
      prefix,
      ...(delimiter === undefined ? {} : { delimiter }),
      ...(startAfter === undefined ? {} : { "start-after": startAfter }),
      ...(keysMax === undefined ? {} : { "max-keys": String(keysMax) }),
    };
    const action = `Cannot list "s3://${bucket}/${prefix}"`;
    for (let token: string | undefined = "";;) {
      const more = token === "" ? query : { ...query, "continuation-token": token };
      const root = await this.askXml({ action, method: "GET", query: more, bucket, signal });
      yield readPage(root);
      const next = textOf(root, "IsTruncated") === "true"
        ? textOf(root, "NextContinuationToken")
        : undefined;
      if (next === undefined || next === "" || next === token) return;
      token = next;
    }
  }

  /** Begins to read an object. `NoSuchKey` is the error's code where there is none. */
  async get(bucket: string, key: string, signal: AbortSignal): Promise<OpenObject> {
    const action = `Cannot read object "s3://${bucket}/${key}"`;
    const { headers, body } = await this.send({
      action,
      method: "GET",
      bucket,
      key,
      signal,
    });
    return {
      ...readHead(headers),
      body: blocksOf(body, action, signal),
      // What is cut off on purpose is nobody's error.
      discard: () => void body.on("error", () => {}).destroy(),
    };
  }

  /** What is known of an object. `Http404` is the error's code where there is none. */
  async head(bucket: string, key: string, signal: AbortSignal): Promise<ObjectHead> {
    const action = `Cannot look up object "s3://${bucket}/${key}"`;
    const { headers, body } = await this.send({
      action,
      method: "HEAD",
      bucket,
      key,
      signal,
    });
    await readWithin(body, 0);
    return readHead(headers);
  }

  /** How far the store's clock is ahead, by its last answer. */
  get clockDifferenceMs(): number | undefined {
    return this.#client.clockDifferenceMs;
  }

  /** Closes connections. Safe to call twice. */
  async close(): Promise<void> {
    await this.#client.close();
  }

  /** Sends a request and reads its answer as XML; no elements where it is empty. */
  async askXml(request: S3Request): Promise<XmlElement> {
    const { body } = await this.send(request);
    try {
      const text = Buffer.from(await readWithin(body, PAGE_BYTES_MAX)).toString("utf8");
      return text === "" ? {} : await parseXml(text);
    } catch (error) {
      request.signal.throwIfAborted();
      throw connectionError(request.action, error);
    }
  }

  /** Sends a request. Throws as AwsClient.send() does; the answer's body has to be read. */
  async send({ bucket, key = "", ...request }: S3Request): Promise<AwsAnswer> {
    const { endpoint, forcePathStyle, expectedBucketOwner: owner, connection } = this.#options;
    const base = new URL(endpoint ?? awsEndpoint("s3", connection.region));
    const inHost = !(forcePathStyle ?? endpoint !== undefined) && HOST_NAME.test(bucket);
    const host = inHost ? `${bucket}.${base.host}` : base.host;
    const path = key.split("/").map(encode).join("/");
    const start = base.pathname.replace(/\/$/, "");
    const owned: Record<string, string> = owner === undefined
      ? {}
      : { "x-amz-expected-bucket-owner": owner };
    return await this.#client.send({
      ...request,
      headers: { ...request.headers, ...owned },
      origin: `${base.protocol}//${host}`,
      path: inHost ? `${start}/${path}` : `${start}/${encode(bucket)}${path && "/"}${path}`,
    });
  }
}

/** Where AWS itself offers a service in a region. */
export function awsEndpoint(service: string, region: string): string {
  const domain = region.startsWith("cn-") ? "amazonaws.com.cn" : "amazonaws.com";
  return `https://${service}.${region}.${domain}`;
}

function readPage(root: XmlElement): ListedPage {
  // A store that does not know the wish gives keys as they are.
  const isEncoded = textOf(root, "EncodingType") === "url";
  const decode = (text: string) => isEncoded ? decodeURIComponent(text.replaceAll("+", " ")) : text;
  return {
    objects: elements(root, "Contents").map((object) => ({
      key: decode(required(object, "Key")),
      size: Number(required(object, "Size")),
      modifiedAt: Date.parse(required(object, "LastModified")),
    })),
    folders: elements(root, "CommonPrefixes").map((folder) => decode(required(folder, "Prefix"))),
  };
}

function required(element: XmlElement, name: string): string {
  const text = textOf(element, name);
  if (text === undefined) throw new RetryableError(`Answer has no "${name}"`);
  return text;
}

const META = "x-amz-meta-";

function readHead(headers: AnswerHeaders): ObjectHead {
  const metadata: Record<string, string> = {};
  for (const name of Object.keys(headers)) {
    if (name.startsWith(META)) metadata[name.slice(META.length)] = header(headers, name) ?? "";
  }
  return {
    size: Number(header(headers, "content-length") ?? 0),
    etag: header(headers, "etag"),
    metadata,
  };
}

async function* blocksOf(
  body: AsyncIterable<Uint8Array>,
  action: string,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (error) {
    signal.throwIfAborted();
    throw connectionError(action, error);
  }
}
