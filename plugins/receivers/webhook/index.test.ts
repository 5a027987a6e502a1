// Receiver webhook with a real client: framing, credentials, deliveries that come again, answers.

import { createHmac } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { Agent, request } from "undici";
import {
  aboutLine,
  conformance,
  lineFormat,
  recordingIntake,
  testContext,
  testHost,
  until,
} from "../../sdk/conformance.ts";
import { type Format, NOTHING } from "../../sdk/index.ts";
import { framesOf, type Framing } from "./frames.ts";
import webhook from "./index.ts";

// In the system's own folder: the path of a socket has at most 107 bytes.
function socketPath(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), "cairn-webhook-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  return join(folder, "s");
}

function client(t: Test, socketPath: string) {
  const dispatcher = new Agent({ connect: { socketPath } });
  t.teardown(() => dispatcher.destroy());
  return async (body: string | Uint8Array, headers: Record<string, string> = {}, path = "/") => {
    const answer = await request(`http://localhost${path}`, {
      method: "POST",
      body,
      headers,
      dispatcher,
    });
    return {
      status: answer.statusCode,
      headers: answer.headers,
      text: await answer.body.text(),
    };
  };
}

type Post = ReturnType<typeof client>;

/** Posts until it is taken, as senders do. */
async function postUntilTaken(post: Post, body: string): Promise<void> {
  while ((await post(body)).status === 503);
}

async function source(t: Test) {
  const path = socketPath(t);
  const post = client(t, path);
  let number = 0;
  return {
    config: { endpoint: `unix://${path}`, format: "line" },
    context: { format: lineFormat },
    write: async (count: number) => {
      const ids = Array.from({ length: count }, () => String(number++));
      const bodies: Promise<void>[] = [];
      for (let at = 0; at < count; at += 500) {
        const lines = ids.slice(at, at + 500).map((id) => `line ${id}\n`);
        bodies.push(postUntilTaken(post, lines.join("")));
      }
      await Promise.all(bodies);
      return ids;
    },
    writeBad: async (noise: Uint8Array) => {
      await post(Buffer.concat([Buffer.from("!"), noise]));
    },
  };
}

t.test("webhook", async (t) => {
  await conformance(t, webhook, {
    minimal: { format: "line" },
    source,
    noPosition: "a sender keeps what is not answered",
  });
});

/** A format whose events' ids say where they stood. */
function placedFormat(): Format {
  return {
    decode: (frame, at) => {
      const text = new TextDecoder().decode(frame);
      if (text.includes("bad")) throw new Error("Is bad");
      return { events: [{ ...aboutLine(`${at.source}:${at.offset}`), request: { text } }] };
    },
    flush: () => NOTHING,
    oldestPending: () => undefined,
  };
}

async function start(t: Test, options: Record<string, unknown> = {}, format = placedFormat) {
  const path = socketPath(t);
  const config = webhook.config.parse({ endpoint: `unix://${path}`, format: "x", ...options });
  const intake = recordingIntake();
  const context = testContext({ format });
  const receiver = webhook.create(config, context, intake);
  const host = testHost();
  await receiver.start(host);
  t.teardown(() => receiver.stop(AbortSignal.timeout(1000)));
  const texts = () => intake.takenEvents.map(({ request }) => request?.text);
  return { post: client(t, path), intake, context, host, texts };
}

t.test("webhook names its format and mapping for the configuration's check", async (t) => {
  const config = webhook.config.parse({ format: "json", mapping: { id: "x" } });
  t.same(webhook.formats?.(config), [{ name: "json", config: { mapping: { id: "x" } } }]);
});

t.test("framesOf() finds documents, items and lines", async (t) => {
  const frames = (text: string, framing: Framing = "auto", type?: string) =>
    [...framesOf(Buffer.from(text), framing, type)].map(({ bytes }) => bytes.toString());
  t.same(frames('{"a":[1,{"b":"}"}]}'), ['{"a":[1,{"b":"}"}]}']);
  t.same(frames('{\n "a": 1\n}\n'), ['{\n "a": 1\n}\n'], "a document of several lines");
  t.same(frames('{"a":1}\n\r\n{"a":2}\r\n'), ['{"a":1}', '{"a":2}']);
  t.same(frames('[{"a":"]"}, [2] ,"x,y",3]'), ['{"a":"]"}', "[2]", '"x,y"', "3"]);
  t.same(frames(" [ ] "), []);
  t.same(frames("\ufeff \n"), []);
  t.same(frames("one\ntwo"), ["one", "two"]);
  t.same(frames('{"a":1}', "auto", "application/x-ndjson; charset=utf-8"), ['{"a":1}']);
  t.same(frames("[1,2]", "body"), ["[1,2]"]);
  t.same(frames('{"a":1}', "array"), ['{"a":1}']);
  t.same(frames("[1,2]", "lines"), ["[1,2]"]);
  for (const broken of ["[1 2", "[{]}", '["', "[,,]", "[1,2", "[}", '{"a":', "[1]x"]) {
    const found = frames(broken).join("");
    t.ok(found.length > 0 && found.length <= broken.length, broken);
  }
});

t.test("webhook takes events of each framing and says how many", async (t) => {
  const { post, texts } = await start(t);
  t.same(JSON.parse((await post('[{"n":1},{"n":2}]')).text), { accepted: 2, rejected: 0 });
  t.same(JSON.parse((await post('{"n":3}')).text), { accepted: 1, rejected: 0 });
  t.same((await post("")).status, 200);
  const form = { "content-type": "application/x-www-form-urlencoded" };
  await post(`payload=${encodeURIComponent('{"n":"4&+"}')}`, form);
  t.same(texts(), ['{"n":1}', '{"n":2}', '{"n":3}', '{"n":"4&+"}'], "and GitHub's form");
});

t.test("webhook sets aside what cannot be read, and refuses a body of nothing else", async (t) => {
  const { post, intake } = await start(t, { max_frame_bytes: "10B" });
  const mixed = await post("good\nbad\nmuch too long a line\n");
  t.same([mixed.status, JSON.parse(mixed.text)], [200, { accepted: 1, rejected: 2 }]);
  t.equal((await post("bad")).status, 400);
  t.same(intake.rejects.map(({ raw }) => Buffer.from(raw).toString()), [
    "bad",
    "much too long a line",
    "bad",
  ]);
});

t.test("webhook sets aside a body of bad parts with the first thousand of them, not each", async (t) => {
  const { post, intake } = await start(t);
  const body = `${"bad\n".repeat(999)}good\n${"bad\n".repeat(4001)}good\n`;
  const { status, text } = await post(body);
  t.same([status, JSON.parse(text)], [200, { accepted: 2, rejected: 5000 }]);
  t.equal(intake.rejects.length, 1001);
  const last = intake.rejects.at(-1);
  t.match(last?.reason, /^4000 more parts of the body cannot be read, the first: /);
  t.equal(Buffer.from(last!.raw).toString(), body);
  t.equal(new Set(intake.rejects.map(({ id }) => id)).size, 1001);
});

t.test("webhook answers 503 until the intake takes it", async (t) => {
  const { post, intake, host } = await start(t);
  intake.failNext(1);
  const refused = await post("one", { "x-github-delivery": "d-1" });
  t.same([refused.status, refused.headers["retry-after"]], [503, "1"]);
  t.match(host.reports.at(-1), { state: "degraded" });
  t.equal((await post("one", { "x-github-delivery": "d-1" })).status, 200);
  t.match(host.reports.at(-1), { state: "running" });
  t.equal(intake.takenEvents.length, 1);
});

t.test("webhook gives a repeated delivery the same ids, and no other", async (t) => {
  const { post, intake } = await start(t, {});
  const header = { "x-github-delivery": "d-1" };
  await post("one\ntwo", header);
  await post("one\ntwo", header);
  await post("three", header);
  await post("one\ntwo");
  await post("one\ntwo");
  const ids = intake.takenEvents.map(({ id }) => id);
  t.same(ids.slice(0, 2), ids.slice(2, 4), "a repeat");
  t.equal(new Set(ids).size, 2 + 1 + 2 + 2, "equal bodies without an id are two deliveries");
  const own = await start(t, { delivery_id_header: "X-My-Id" });
  await own.post("one", { "x-my-id": "7" });
  t.match(own.intake.takenEvents[0], { id: /^x-my-id:7:/ });
});

t.test("webhook knows signatures, tokens, and counts who has none", async (t) => {
  const body = '{"n":1}';
  const sign = (secret: string, algorithm = "sha256", encoding: "hex" | "base64" = "hex") =>
    createHmac(algorithm, secret).update(body).digest(encoding);
  const github = await start(t, { format: "github", secret: "It's a Secret" });
  const hub = (value: string) => github.post(body, { "x-hub-signature-256": value });
  t.equal((await hub(`sha256=${sign("It's a Secret")}`)).status, 200);
  t.equal((await hub(`sha256=${sign("another")}`)).status, 401);
  t.equal((await hub("sha256=")).status, 401);
  t.equal((await github.post(body)).status, 401);
  t.same(github.context.ignoredCounts, { "refused: no valid token or signature": 3 });
  t.equal(github.intake.takenEvents.length, 1);

  const gitlab = await start(t, { format: "gitlab", secret: "s" });
  t.equal((await gitlab.post(body, { "x-gitlab-token": "s" })).status, 200);
  t.equal((await gitlab.post(body, { "x-gitlab-event-streaming-token": "s" })).status, 200);
  t.equal((await gitlab.post(body, { "x-gitlab-token": "S" })).status, 401);

  const signature = { header: "X-Sig", algorithm: "sha512", prefix: "v1=", encoding: "base64" };
  const own = await start(t, { secret: "s", signature });
  t.equal((await own.post(body, { "x-sig": `v1=${sign("s", "sha512", "base64")}` })).status, 200);
  t.equal((await own.post(body, { "x-sig": sign("s", "sha512", "base64") })).status, 401);

  const token = await start(t, { bearer_token: "t" });
  t.equal((await token.post(body, { authorization: "Bearer t" })).status, 200);
  t.equal((await token.post(body, { authorization: "t" })).status, 200);
  t.equal((await token.post(body, { authorization: "Bearer u" })).status, 401);
  t.equal((await token.post(body)).status, 401);
});

t.test("webhook wants a secret and how it is used together", async (t) => {
  const problem = (options: Record<string, unknown>) =>
    webhook.config.safeParse({ format: "json", ...options }).error?.issues[0]?.message;
  t.match(problem({ secret: "s" }), /signature is missing/);
  t.match(problem({ signature: "github" }), /secret is missing/);
  t.equal(problem({ format: "github", secret: "s" }), undefined);
});

t.test("webhook has one path and takes posts", async (t) => {
  const { post, intake } = await start(t, { path: "/in" });
  t.equal((await post("x", {}, "/")).status, 404);
  t.equal((await post("x", {}, "/in?a=b")).status, 200);
  t.equal(intake.takenEvents.length, 1);
});

/** A format that tells what it has when it is flushed. */
function waitingFormat(): Format {
  let waiting: string[] = [];
  return {
    decode: (frame) => {
      waiting.push(new TextDecoder().decode(frame));
      return NOTHING;
    },
    flush: () => {
      const events = waiting.map((text) => ({ ...aboutLine(text), request: { text } }));
      waiting = [];
      return { events };
    },
    oldestPending: () => undefined,
  };
}

t.test("webhook leaves nothing waiting in a format when it answers", async (t) => {
  const { post, intake, texts } = await start(t, {}, waitingFormat);
  intake.failNext(1);
  t.equal((await post("one\ntwo")).status, 503);
  t.equal((await post("one\ntwo")).status, 200);
  t.same(texts(), ["one", "two"], "what was not taken is not told with the next");
  await until(() => intake.outstanding === 0, "no call waits");
});
