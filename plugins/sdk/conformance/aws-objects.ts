// AwsObjects: the writing side of S3 for tests, in memory, to stand behind a FaultyServer. It checks
// signatures and checksums, counts how often each object was written, and knows If-None-Match as
// well or as badly as a test wants.

import { Buffer } from "node:buffer";
import { hash, randomUUID } from "node:crypto";
import { signatureRefusal } from "./aws-signature.ts";
import type { FaultyAnswer, FaultyRequest } from "./faulty-server.ts";

/** An object as it was written. */
export interface WrittenObject {
  readonly bytes: Buffer;
  /** Of the request that wrote it or began its upload. */
  readonly headers: FaultyRequest["headers"];
  /** How often it was written. */
  readonly writes: number;
}

/** How to make one. */
export interface AwsObjectsOptions {
  /** What it does with If-None-Match; `refused` is a 501. Honoured by default. */
  readonly condition?: "honoured" | "ignored" | "refused";
  /** Whether objects may be looked up; a 403 otherwise. */
  readonly canLook?: boolean;
  /** The server's time. */
  readonly clock?: () => number;
}

interface BegunUpload {
  readonly path: string;
  readonly headers: FaultyRequest["headers"];
  readonly parts: Map<number, Uint8Array>;
}

/** See above. */
export class AwsObjects {
  /** By decoded path: `bucket/key`. */
  readonly objects = new Map<string, WrittenObject>();
  readonly uploads = new Map<string, BegunUpload>();
  /** Requests that were answered, as `PUT bucket/key`. */
  readonly requests: string[] = [];
  readonly #options: AwsObjectsOptions;

  constructor(options: AwsObjectsOptions = {}) {
    this.#options = options;
  }

  /** Answers a request that is signed well; given to a FaultyServer. */
  readonly answer = (request: FaultyRequest): FaultyAnswer => {
    const now = this.#options.clock?.() ?? Date.now();
    const refused = signatureRefusal({ ...request, url: request.path }, request.body, now);
    if (refused !== undefined) return failed(403, refused, now);
    const answer = this.serve(request);
    return { ...answer, headers: { date: new Date(now).toUTCString(), ...answer.headers } };
  };

  /** Answers any request. */
  readonly serve = (request: FaultyRequest): FaultyAnswer => {
    const [path = "", text = ""] = request.path.split("?");
    const place = path.slice(1).split("/").map(decodeURIComponent).join("/");
    this.requests.push(`${request.method} ${place}`);
    return this.#answer(request, place, new URLSearchParams(text));
  };

  #answer(request: FaultyRequest, place: string, query: URLSearchParams): FaultyAnswer {
    const { method, headers, body } = request;
    if (method === "HEAD") return this.#head(place);
    if (method === "GET" && query.has("uploads")) return this.#listUploads(query.get("prefix")!);
    if (method === "GET") return { body: "<ListBucketResult></ListBucketResult>" };
    if (method === "POST" && query.has("uploads")) {
      const id = randomUUID();
      this.uploads.set(id, { path: place, headers, parts: new Map() });
      return { body: `<Result><UploadId>${id}</UploadId></Result>` };
    }
    const id = query.get("uploadId");
    if (method === "DELETE" && id !== null) return this.#abort(id);
    const wrong = checksumProblem(headers, body);
    if (wrong !== undefined) return failed(400, wrong);
    if (method === "PUT" && id === null) return this.#write(place, Buffer.from(body), headers);
    const upload = this.uploads.get(id ?? "");
    if (upload === undefined) return failed(404, "NoSuchUpload");
    if (method === "PUT") {
      upload.parts.set(Number(query.get("partNumber")), Buffer.from(body));
      return { headers: { etag: `"${hash("md5", body)}"` } };
    }
    return this.#complete(id!, upload, headers, Buffer.from(body).toString());
  }

  #head(place: string): FaultyAnswer {
    if (this.#options.canLook === false) return { status: 403 };
    const found = this.objects.get(place);
    if (found === undefined) return { status: 404 };
    const metadata = Object.entries(found.headers).filter(([name]) =>
      name.startsWith("x-amz-meta-")
    );
    const length = String(found.bytes.length);
    return { headers: { ...Object.fromEntries(metadata) as object, "content-length": length } };
  }

  #listUploads(prefix: string): FaultyAnswer {
    const found = [...this.uploads].map(([id, { path }]) => ({ id, key: keyOf(path) }))
      .filter(({ key }) => key.startsWith(prefix));
    const list = found.map(({ id, key }) =>
      `<Upload><Key>${key.replaceAll("&", "&amp;")}</Key><UploadId>${id}</UploadId></Upload>`
    );
    return { body: `<ListMultipartUploadsResult>${list.join("")}</ListMultipartUploadsResult>` };
  }

  #abort(id: string): FaultyAnswer {
    return this.uploads.delete(id) ? { status: 204 } : failed(404, "NoSuchUpload");
  }

  #complete(
    id: string,
    upload: BegunUpload,
    headers: FaultyRequest["headers"],
    xml: string,
  ): FaultyAnswer {
    const numbers = Array.from(xml.matchAll(/<PartNumber>(\d+)</g), ([, number]) => Number(number));
    const parts = numbers.map((number) => upload.parts.get(number));
    if (numbers.length === 0 || parts.includes(undefined)) return failed(400, "InvalidPart");
    const bytes = Buffer.concat(parts as Uint8Array[]);
    const condition = headers["if-none-match"];
    const conditional = condition === undefined ? {} : { "if-none-match": condition };
    const answer = this.#write(upload.path, bytes, { ...upload.headers, ...conditional });
    if (answer.status === undefined) this.uploads.delete(id);
    return answer.status === undefined ? { body: "<Result><ETag>x</ETag></Result>" } : answer;
  }

  #write(place: string, bytes: Buffer, headers: FaultyRequest["headers"]): FaultyAnswer {
    const { condition = "honoured" } = this.#options;
    const isConditional = headers["if-none-match"] === "*";
    const there = this.objects.get(place);
    if (isConditional && condition === "refused") return failed(501, "NotImplemented");
    if (isConditional && condition === "honoured" && there !== undefined) {
      return failed(412, "PreconditionFailed");
    }
    this.objects.set(place, { bytes, headers, writes: (there?.writes ?? 0) + 1 });
    return { headers: { etag: `"${hash("md5", bytes)}"` } };
  }
}

function keyOf(path: string): string {
  return path.slice(path.indexOf("/") + 1);
}

function checksumProblem(
  headers: FaultyRequest["headers"],
  body: Uint8Array,
): string | undefined {
  const sha256 = headers["x-amz-checksum-sha256"];
  if (sha256 !== undefined && sha256 !== hash("sha256", body, "base64")) return "BadDigest";
  const md5 = headers["content-md5"];
  const isLocked = headers["x-amz-object-lock-mode"] !== undefined;
  if (isLocked && md5 === undefined) return "InvalidRequest";
  return md5 !== undefined && md5 !== hash("md5", body, "base64") ? "BadDigest" : undefined;
}

function failed(status: number, code: string, now?: number): FaultyAnswer {
  const headers: Record<string, string> = now === undefined
    ? {}
    : { date: new Date(now).toUTCString() };
  const body = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>No</Message></Error>`;
  return { status, headers, body };
}
