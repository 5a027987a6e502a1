// SNS over the query protocol: against a server that reckons every signature, and moto's.

import t from "tap";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { AWS_KEYS, AwsServer } from "../conformance/aws-server.ts";
import { startMoto } from "../conformance/moto-server.ts";
import { RetryableError } from "../errors.ts";
import type { AwsConnection } from "./request.ts";
import { Sns } from "./sns.ts";
import { Sqs } from "./sqs.ts";
import { callJson } from "./json-call.ts";
import { AwsClient } from "./request.ts";

const never = new AbortController().signal;
const TOPIC = "arn:aws:sns:us-east-1:123456789012:trails";

function connection(more: Partial<AwsConnection> = {}): AwsConnection {
  const keys = {
    accessKeyId: AWS_KEYS.access_key_id,
    secretAccessKey: AWS_KEYS.secret_access_key,
  };
  const credentials = { get: () => Promise.resolve(keys), forget: () => {} };
  return { region: "eu-central-1", credentials, version: "0", clock: Date.now, ...more };
}

t.test("publish() is signed for the topic's region, and a no says what AWS said", async (t) => {
  const server = await new AwsServer().start();
  t.teardown(() => server.stop());
  server.fault = () => ({ status: 400, code: "AuthorizationError" });
  const sns = new Sns(TOPIC, connection(), server.url);
  t.teardown(() => sns.close());
  const error = await sns.publish({ text: "x" }, never).catch((error: unknown) => error);
  t.ok(error instanceof RetryableError);
  t.match(error, {
    code: "AuthorizationError",
    message: /^Cannot publish to topic "arn:.*": AuthorizationError: No \(HTTP 400/,
  });
  server.fault = () => undefined;
  // The signature holds: what it does not know is the bucket.
  await t.rejects(sns.publish({ text: "ä & = +\n" }, never), { code: "NoSuchBucket" });
});

t.test("publish() sends a form, and one text to a FIFO topic under one id", async (t) => {
  const forms: URLSearchParams[] = [];
  const scopes: string[] = [];
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request) text += chunk;
    forms.push(new URLSearchParams(text));
    scopes.push(String(request.headers.authorization));
    const id = `<PublishResult><MessageId>m${forms.length}</MessageId></PublishResult>`;
    response.end(forms.length === 4 ? "<Nothing/>" : `<PublishResponse>${id}</PublishResponse>`);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(() => server.closeAllConnections());
  t.teardown(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const sns = new Sns(`${TOPIC}.fifo`, connection(), url);
  t.teardown(() => sns.close());
  const text = '{"s3Bucket":"b","s3ObjectKey":["a+b &=ü"]}';
  t.equal(await sns.publish({ text, subject: "S" }, never), "m1");
  t.equal(await sns.publish({ text }, never), "m2");
  t.equal(await sns.publish({ text: "other" }, never), "m3");
  t.match(scopes[0], "/us-east-1/sns/aws4_request");
  t.same(forms[0]?.get("Message"), text);
  t.same(forms[0]?.get("Subject"), "S");
  const ids = forms.map((form) => form.get("MessageDeduplicationId"));
  t.equal(ids[0], ids[1]);
  t.not(ids[0], ids[2]);
  await t.rejects(sns.publish({ text }, never), { message: /Answer names no message$/ });
});

t.test("what is published to moto's SNS arrives at the queue that subscribed", async (t) => {
  const url = await startMoto(t);
  if (url === undefined) return;
  const at = connection({ region: "us-east-1" });
  const client = new AwsClient("sqs", at);
  t.teardown(() => client.close());
  const target = "AmazonSQS.CreateQueue";
  const input = { QueueName: "q" };
  await callJson(client, {
    action: "q",
    version: "1.0",
    target,
    origin: url,
    input,
    signal: never,
  });
  const forms: Record<string, string>[] = [
    { Action: "CreateTopic", Name: "trails" },
    {
      Action: "Subscribe",
      TopicArn: TOPIC,
      Protocol: "sqs",
      Endpoint: "arn:aws:sqs:us-east-1:123456789012:q",
    },
  ];
  for (const form of forms) {
    const body = new URLSearchParams({ Version: "2010-03-31", ...form }).toString();
    const headers = {
      "content-type": "application/x-www-form-urlencoded",
      authorization: "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/sns/aws4_request",
    };
    const answer = await fetch(url, { method: "POST", headers, body });
    t.equal(answer.status, 200, await answer.text());
  }
  const sns = new Sns(TOPIC, at, url);
  const text = '{"s3Bucket":"b","s3ObjectKey":["AWSLogs/a+b &=ü.json.gz"]}';
  const id = await sns.publish({ text }, never);
  const queue = new Sqs(`${url}/123456789012/q`, at);
  t.teardown(() => Promise.all([sns.close(), queue.close()]));
  const options = { waitMs: 5000, visibilityMs: 30_000, signal: never };
  const [message] = await queue.receive(options);
  t.match(JSON.parse(message?.body ?? "{}"), { MessageId: id, TopicArn: TOPIC, Message: text });
  const missing = new Sns(`${TOPIC}2`, at, url);
  t.teardown(() => missing.close());
  await t.rejects(missing.publish({ text }, never), { code: /NotFound/ });
});
