// Signatures that come in: those of AWS's own signer are taken, in header and query; whatever was
// changed, is late, or is left out of them is refused.

import { Buffer } from "node:buffer";
import { createHash, createHmac, type Hash, type Hmac } from "node:crypto";
import { SignatureV4 } from "@smithy/signature-v4";
import fc from "fast-check";
import t from "tap";
import { AwsFault } from "./fault.ts";
import { readSignature, type SignedRequest, verifySignature } from "./verify.ts";

const SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const AT = Date.UTC(2026, 2, 2, 8, 4, 57);

/** As the signer wants hashes. */
class Sha256 {
  readonly #hash: Hash | Hmac;

  constructor(key?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = key === undefined ? createHash("sha256") : createHmac("sha256", bytesOf(key));
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(bytesOf(data));
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }
}

function bytesOf(data: string | ArrayBuffer | ArrayBufferView): string | Uint8Array {
  if (typeof data === "string") return data;
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

const signer = (service = "cloudtrail") =>
  new SignatureV4({
    service,
    region: "eu-central-1",
    credentials: { accessKeyId: "AKIDEXAMPLE", secretAccessKey: SECRET },
    sha256: Sha256,
    uriEscapePath: true,
    applyChecksum: false,
  });

interface Plain {
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const PLAIN: Plain = {
  path: "/PutAuditEvents",
  query: { channelArn: "arn:cairn:cloudtrail:eu-central-1:111122223333:channel/a b+c*'()" },
  headers: { host: "127.0.0.1:4580", "content-type": "application/json" },
  body: '{"auditEvents":[]}',
};

const toSign = ({ path, query, headers, body }: Plain) => ({
  method: "POST",
  protocol: "http:",
  hostname: "127.0.0.1",
  path,
  query: { ...query },
  headers: { ...headers },
  body,
});

async function signed(plain: Plain = PLAIN, service?: string): Promise<SignedRequest> {
  const { headers } = await signer(service).sign(toSign(plain), { signingDate: new Date(AT) });
  const lower = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]);
  return {
    method: "POST",
    path: plain.path,
    query: new URLSearchParams({ ...plain.query }),
    headers: Object.fromEntries(lower),
    body: Buffer.from(plain.body),
  };
}

async function presigned(expiresIn = 60): Promise<SignedRequest> {
  const { query } = await signer().presign(toSign(PLAIN), {
    signingDate: new Date(AT),
    expiresIn,
  });
  return {
    method: "POST",
    path: PLAIN.path,
    query: new URLSearchParams(query as Record<string, string>),
    headers: { ...PLAIN.headers },
    body: Buffer.from(PLAIN.body),
  };
}

/** AWS's name for what is wrong; "" where nothing is. */
function verdict(request: SignedRequest, now = AT, services = ["cloudtrail"]): string {
  try {
    verifySignature(request, readSignature(request), SECRET, { services, now });
    return "";
  } catch (error) {
    if (!(error instanceof AwsFault)) throw error;
    return error.code;
  }
}

const INVALID = "InvalidSignatureException";
const INCOMPLETE = "IncompleteSignatureException";

t.test("verifySignature() takes what AWS's signer signs, whatever stands in the request", async (t) => {
  const text = fc.string({ unit: "grapheme", maxLength: 30 });
  const property = fc.asyncProperty(
    fc.dictionary(fc.stringMatching(/^[A-Za-z-]{1,8}$/), text, { maxKeys: 4 }),
    text,
    async (query, body) => {
      t.equal(verdict(await signed({ ...PLAIN, query, body })), "");
    },
  );
  await fc.assert(property, { numRuns: 60 });
  t.equal(verdict(await presigned()), "", "in the query, too");
});

t.test("readSignature() says whose it is, and for which region and service", async (t) => {
  const { accessKeyId, region, service, time } = readSignature(await signed());
  t.same({ accessKeyId, region, service, time }, {
    accessKeyId: "AKIDEXAMPLE",
    region: "eu-central-1",
    service: "cloudtrail",
    time: AT,
  });
});

t.test("verifySignature() refuses whatever was changed after signing", async (t) => {
  const good = await signed();
  const headers = (changes: Record<string, string | undefined>) => ({
    ...good,
    headers: { ...good.headers, ...changes },
  });
  const authorization = String(good.headers.authorization);
  t.equal(verdict({ ...good, body: Buffer.from("{}") }), INVALID, "body");
  t.equal(verdict({ ...good, path: "/" }), INVALID, "path");
  t.equal(verdict({ ...good, method: "GET" }), INVALID, "method");
  t.equal(verdict({ ...good, query: new URLSearchParams({ channelArn: "b" }) }), INVALID, "query");
  t.equal(verdict(headers({ "content-type": "text/plain" })), INVALID, "signed header");
  t.equal(verdict(headers({ host: "evil.example" })), INVALID, "host");
  t.equal(verdict(headers({ "x-amz-target": "Other" })), INVALID, "unsigned x-amz header");
  t.equal(verdict(headers({ "x-amz-content-sha256": "0" })), INVALID, "claimed hash");
  t.equal(verdict(headers({ authorization: authorization.replace("eu-", "us-") })), INVALID);
  t.equal(verdict(headers({ authorization: `${authorization}0` })), INVALID, "longer signature");
  t.equal(verdict(good, AT, ["s3"]), INVALID, "another service");
  const signedInQuery = await presigned();
  signedInQuery.query.set("X-Amz-Expires", "600");
  t.equal(verdict(signedInQuery), INVALID, "a longer life");
});

t.test("verifySignature() takes a clock that differs by five minutes, and no more", async (t) => {
  const good = await signed();
  for (const ms of [-300_000, 300_000]) t.equal(verdict(good, AT + ms), "");
  for (const ms of [-301_000, 301_000, 86_400_000]) t.equal(verdict(good, AT + ms), INVALID);
  const short = await presigned(60);
  t.equal(verdict(short, AT + 60_000), "");
  t.equal(verdict(short, AT + 61_000), INVALID, "expired");
});

t.test("readSignature() says what a request lacks", async (t) => {
  const good = await signed();
  const authorization = String(good.headers.authorization);
  const wrong = (text: string | undefined, more: Record<string, undefined> = {}) =>
    verdict({ ...good, headers: { ...good.headers, authorization: text, ...more } });
  t.equal(wrong(undefined), "MissingAuthenticationTokenException");
  t.equal(wrong("Bearer token"), INCOMPLETE);
  t.equal(wrong("AWS4-HMAC-SHA256 Credential=a"), INCOMPLETE);
  t.equal(wrong(authorization.replace(/Credential=[^,]*/, "Credential=AKID/x/y")), INCOMPLETE);
  t.equal(wrong(authorization.replace(/SignedHeaders=[^,]*/, "")), INCOMPLETE);
  t.equal(wrong(authorization, { "x-amz-date": undefined }), INCOMPLETE);
  for (const name of ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires"]) {
    const request = await presigned();
    request.query.delete(name);
    t.equal(verdict(request), INCOMPLETE, name);
  }
  const forever = await presigned();
  forever.query.set("X-Amz-Expires", "604801");
  t.equal(verdict(forever), INCOMPLETE);
});
