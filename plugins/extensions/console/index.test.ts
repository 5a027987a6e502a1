// Extension console over real HTTP: who may ask, what the page is answered, and files to download.

import { type ClientRequest, request } from "node:http";
import t, { type Test } from "tap";
import { type AgentHealth, agentStatusService } from "../../sdk/agent-status.ts";
import { conformance, testContext, testHost, until } from "../../sdk/conformance.ts";
import {
  type EventHistory,
  eventHistoryService,
  type HistoryEvent,
  type HistoryFilter,
  HistoryPositionError,
} from "../../sdk/event-history.ts";
import type { AuditEvent, Host } from "../../sdk/index.ts";
import { selfAuditService } from "../../sdk/self-audit.ts";
import { type TrailService, trailService } from "../../sdk/trail-service.ts";
import extension from "./index.ts";

const NOW = Date.UTC(2026, 0, 2, 12);

function eventOf(number: number, parts: Partial<HistoryEvent> = {}): HistoryEvent {
  return {
    id: `id-${number}`,
    name: "CreateUser",
    time: NOW - number * 1000,
    source: "iam.host.internal",
    username: "alice",
    resources: [{ type: "User", name: "bob" }],
    accountId: "111122223333",
    region: "eu-central-1",
    text: `{"eventID":"id-${number}","big":12345678901234567890}`,
    ...parts,
  };
}

/** Answers pages of a list, whatever is asked; remembers what was. */
function historyOf(events: readonly HistoryEvent[]) {
  const asked: HistoryFilter[] = [];
  const history: EventHistory = {
    lookup: async (query) => {
      asked.push(query);
      if (query.after !== undefined && !/^\d+$/.test(query.after)) {
        throw new HistoryPositionError("no such position");
      }
      const first = Number(query.after ?? 0);
      const next = first + query.limit;
      return {
        events: events.slice(first, next),
        ...(next < events.length && { next: String(next) }),
      };
    },
    histogram: async (query) => {
      asked.push(query);
      return new Array(query.buckets).fill(1);
    },
    counts: async (query) => {
      asked.push(query);
      return [{ value: "CreateUser", count: events.length }];
    },
    extent: () => ({ events: events.length, bytes: 4096, oldest: NOW - 5000, newest: NOW }),
  };
  return { history, asked };
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

interface Services {
  readonly history?: EventHistory;
  readonly trail?: TrailService;
  readonly health?: Partial<AgentHealth>;
  readonly options?: Readonly<Record<string, unknown>>;
}

async function start(t: Test, { history, trail, health, options }: Services = {}) {
  const records: AuditEvent[] = [];
  const reported = testHost();
  const offers = new Map<unknown, unknown>([
    [agentStatusService, {
      status: () => ({ state: "running", components: [], pipelines: [], ...health }),
    }],
    [eventHistoryService, history],
    [trailService, trail],
    [selfAuditService, { record: async (event: AuditEvent) => void records.push(event) }],
  ]);
  const host: Host = {
    ...reported,
    find: (kind) => (offers.get(kind) === undefined ? [] : [offers.get(kind)]) as never,
  };
  const clock = { now: NOW };
  const context = testContext({ clock: () => clock.now });
  const config = extension.config.parse({ endpoint: "127.0.0.1:0", ...options });
  const running = extension.create(config, context);
  await running.start(host);
  t.teardown(() => running.stop(AbortSignal.timeout(2000)));
  const port = Number(/:(\d+)$/.exec(reported.reports[0]!.reason!)![1]);
  const ask = (path: string, headers: Record<string, string> = {}, method = "GET") =>
    new Promise<Answer>((resolve, reject) => {
      const asking = request({ port, path, headers, method, agent: false }, (answer) => {
        let text = "";
        answer.setEncoding("utf8").on("data", (chunk) => text += chunk).on("error", reject);
        answer.on("end", () => {
          resolve({ status: answer.statusCode!, headers: answer.headers, text });
        });
      });
      asking.on("error", reject).end();
    });
  const askJson = async (path: string) => JSON.parse((await ask(path)).text);
  return { ask, askJson, records, context, running, clock, port };
}

conformance(t, extension, { minimal: { endpoint: "127.0.0.1:0" } });

t.test("console serves its page under a strict policy, again only where it changed", async (t) => {
  const { ask } = await start(t);
  const page = await ask("/");
  t.equal(page.status, 200);
  t.match(page.headers, {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": /^default-src 'none'; script-src 'self'; .*frame-ancestors 'none'/,
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
  });
  t.notMatch(page.headers["content-security-policy"], /unsafe|\*|data:|http/);
  t.notMatch(page.text, /https?:\/\/|<script>|style=|onclick/, "nothing inline, no other host");
  const files = [...page.text.matchAll(/(?:href|src)="(\/[^"#]+)"/g)].map((match) => match[1]!);
  t.ok(files.length > 10);
  for (const path of files) t.equal((await ask(path)).status, 200, path);
  const again = await ask("/", { "if-none-match": String(page.headers.etag) });
  t.same([again.status, again.text], [304, ""]);
  t.equal((await ask("/", {}, "HEAD")).text, "");
  for (const path of ["/jsconfig.json", "/../index.ts", "/%2e%2e/index.ts", "/api", "/api/none"]) {
    const { status, headers } = await ask(path);
    t.equal(status, 404, path);
    t.ok(headers["content-security-policy"], `${path} has the headers of every answer`);
  }
});

t.test("console refuses other names of this machine, other sites, and all but reading", async (t) => {
  const { ask, port, context } = await start(t, historyOf([eventOf(1)]));
  for (const host of ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "169.254.1.1"]) {
    t.equal((await ask("/api/about", { host })).status, 421, host);
  }
  for (const host of ["localhost", `LOCALHOST:${port}`, "127.0.0.1", "[::1]:80"]) {
    t.equal((await ask("/api/about", { host })).status, 200, host);
  }
  const foreign: readonly Record<string, string>[] = [
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
    { origin: "https://evil.example" },
    { origin: "null" },
  ];
  for (const headers of foreign) {
    const { status } = await ask("/api/events", headers);
    t.equal(status, 403, JSON.stringify(headers));
  }
  const link = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" };
  t.equal((await ask("/", link)).status, 200, "a link may lead to the page");
  t.equal((await ask("/api/download", link)).status, 403, "not to a download");
  const own = { "sec-fetch-site": "same-origin", origin: `http://127.0.0.1:${port}` };
  t.equal((await ask("/api/about", { ...own, host: `127.0.0.1:${port}` })).status, 200);
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
    t.equal((await ask("/api/events", {}, method)).status, 405, method);
  }
  t.match(context.ignoredCounts, { "refused: by another site or name": 9 });
});

t.test("console asks for a password where one is set, and needs one beyond this machine", async (t) => {
  const password = "correct horse battery";
  const { ask, records } = await start(t, {
    ...historyOf([eventOf(1)]),
    options: { username: "ops", password },
  });
  const basic = (text: string) => ({
    authorization: `Basic ${Buffer.from(text).toString("base64")}`,
  });
  const refused = await ask("/");
  t.equal(refused.status, 401);
  t.match(refused.headers["www-authenticate"], /^Basic /);
  for (const wrong of ["ops:", `ops:${password}x`, `root:${password}`, password, ""]) {
    t.equal((await ask("/api/events", basic(wrong))).status, 401, wrong);
  }
  t.equal((await ask("/api/events", basic(`ops:${password}`))).status, 200);
  t.equal((await ask("/", { ...basic(`ops:${password}`), host: "web-01.example" })).status, 200);
  t.match(records, [{ actor: { type: "user", name: "ops" } }]);
  const problem = (options: object) =>
    extension.config.safeParse(options).error?.issues[0]?.message;
  t.match(problem({ endpoint: "0.0.0.0:4581" }), /^Expected a password/);
  t.match(problem({ endpoint: "10.0.0.1:4581", password: "short" }), /12 characters/);
  t.equal(problem({ endpoint: "0.0.0.0:4581", password }), undefined);
  t.equal(problem({ endpoint: "unix:///run/console.sock" }), undefined);
});

t.test("console answers pages of events without their text, and one record with it", async (t) => {
  const { history, asked } = historyOf(Array.from({ length: 7 }, (_, i) => eventOf(i)));
  const { askJson, ask } = await start(t, { history });
  const first = await askJson("/api/events?limit=5");
  t.equal(first.events.length, 5);
  const { text: _text, ...rest } = eventOf(0);
  t.same(first.events[0], rest);
  const last = await askJson(`/api/events?limit=5&after=${first.next}`);
  t.same(last.events.map(({ id }: HistoryEvent) => id), ["id-5", "id-6"]);
  t.notOk("next" in last);
  const query = "EventName=a&EventName=b&Username=%3Cb%3E&text=x&errors=1&from=5&to=9" +
    "&account=1&region=r&category=insight&order=oldest";
  await askJson(`/api/events?${query}`);
  t.match(asked.at(-1), {
    attributes: [
      { key: "EventName", value: "a" },
      { key: "EventName", value: "b" },
      { key: "Username", value: "<b>" },
    ],
    category: "insight",
    text: "x",
    startTime: 5,
    endTime: 9,
    accountId: "1",
    region: "r",
    errorsOnly: true,
    order: "oldest",
  });
  const record = await ask("/api/record?EventId=id-0&from=1&to=1");
  t.same(JSON.parse(record.text), { text: eventOf(0).text });
  t.match(record.headers["content-type"], /^application\/json/);
  t.equal(record.headers["cache-control"], "no-store");
});

t.test("console counts events over time and by value, and gives up what takes too long", async (t) => {
  const { history } = historyOf([eventOf(1)]);
  const { askJson } = await start(t, { history });
  t.same(await askJson("/api/histogram?from=0&to=100&buckets=4"), { counts: [1, 1, 1, 1] });
  t.same(await askJson("/api/values?attribute=EventName"), {
    values: [{ value: "CreateUser", count: 1 }],
  });
  const slow = await start(t, {
    history: {
      ...history,
      histogram: ({ signal }) =>
        new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason))),
    },
  });
  t.same(await slow.askJson("/api/histogram?from=0&to=100&buckets=4"), { tooMany: true });
});

t.test("console says in words what is wrong with a question", async (t) => {
  const { ask } = await start(t, historyOf([eventOf(1)]));
  const wrong = [
    "/api/events?from=yesterday",
    "/api/events?from=-1",
    "/api/events?limit=100000",
    "/api/events?limit=1e3",
    "/api/events?category=data",
    "/api/events?after=elsewhere",
    `/api/events?text=${"x".repeat(2001)}`,
    `/api/events?${"EventName=a&".repeat(21)}`,
    "/api/record",
    "/api/histogram",
    "/api/histogram?from=5&to=5&buckets=3",
    "/api/histogram?from=5&to=9&buckets=501",
    "/api/values?attribute=constructor",
    "/api/download?to=%00",
  ];
  for (const path of wrong) {
    const { status, text } = await ask(path);
    t.equal(status, 400, path);
    t.match(JSON.parse(text).error, /^[A-Z]/, path);
  }
  const { ask: askNone } = await start(t);
  const none = await askNone("/api/events");
  t.same([none.status, /exporter history/.test(none.text)], [404, true]);
});

t.test("console records who looked for what, once for each look", async (t) => {
  const { ask, records, clock } = await start(t, historyOf([eventOf(1), eventOf(2)]));
  await ask("/api/events?Username=alice&text=secret&limit=1");
  await ask("/api/events?Username=alice&text=secret&limit=1&after=1");
  await ask("/api/events?Username=alice&text=secret&from=3");
  await ask("/api/histogram?from=0&to=100&buckets=4");
  await ask("/api/status");
  t.match(records, [{
    service: "cairn",
    action: "LookupEvents",
    actor: { type: "anonymous" },
    origin: { address: /127\.0\.0\.1$|^::1$/ },
    request: { query: "Username=alice&limit=1", freeText: true, download: false },
    readOnly: true,
  }]);
  t.equal(records.length, 1);
  await ask("/api/events?Username=bob");
  await ask("/api/download?form=csv");
  clock.now += 600_000;
  await ask("/api/events?Username=bob");
  t.same(records.map(({ request }) => request!.download), [false, false, true, false]);
  t.equal(new Set(records.map(({ id }) => id)).size, 4);
});

t.test("console gives events as CSV that no spreadsheet calculates, and as a log file", async (t) => {
  const hostile = eventOf(1, { name: "=cmd|' /C calc'!A0", username: 'a,"b"\r\n=1+1' });
  const { ask } = await start(t, historyOf([hostile, eventOf(2)]));
  const csv = await ask("/api/download?form=csv");
  t.match(csv.headers, {
    "content-type": "text/csv; charset=utf-8",
    "content-disposition": 'attachment; filename="cairn-events-2026-01-02T120000Z.csv"',
  });
  t.ok(csv.text.startsWith("\ufeffEvent time,User name,Event name,"));
  t.match(csv.text, `,"a,""b""\r\n=1+1",'=cmd|' /C calc'!A0,`);
  const json = await ask("/api/download?form=json");
  t.match(json.text, "12345678901234567890", "numbers stay what they are");
  t.same(JSON.parse(json.text).Records.map(({ eventID }: { eventID: string }) => eventID), [
    "id-1",
    "id-2",
  ]);
  t.equal((await ask("/api/download", {}, "HEAD")).text, "");
});

t.test("console sends downloads page by page, two at once, and ends those nobody takes", async (t) => {
  const { history } = historyOf([eventOf(1)]);
  let lookups = 0;
  const text = JSON.stringify({ text: "x".repeat(2000) });
  const endless = {
    ...history,
    lookup: async () => {
      lookups++;
      return { events: Array.from({ length: 50 }, (_, i) => eventOf(i, { text })), next: "1" };
    },
  };
  const { port } = await start(t, { history: endless });
  const open = (take: (status: number, asking: ClientRequest) => void) => {
    const asking = request({ port, path: "/api/download?form=json", agent: false });
    asking.on("response", (answer) => {
      answer.pause().on("error", () => {});
      take(answer.statusCode!, asking);
    });
    asking.on("error", () => {}).end();
    return asking;
  };
  const statusOf = () =>
    new Promise<number>((resolve) =>
      open((status, asking) => {
        asking.destroy();
        resolve(status);
      })
    );
  const downloads: ClientRequest[] = [];
  for (let i = 0; i < 2; i++) {
    await new Promise<void>((resolve) => downloads.push(open(() => resolve())));
  }
  t.equal(await statusOf(), 503);
  await until(async () => {
    const before = lookups;
    await new Promise((resolve) => setTimeout(resolve, 200));
    return before === lookups;
  }, "nobody to take more");
  t.ok(lookups < 500, `${lookups} pages were read ahead`);
  for (const download of downloads) download.destroy();
  await until(async () => await statusOf() === 200, "room for another");
});

t.test("console tells the books, the trails and what may be shown", async (t) => {
  const { history } = historyOf([eventOf(1)]);
  const trail = {
    describe: () => ({ name: "main", bucket: "b", prefix: "p", logFileValidation: true }),
    status: () => ({
      isLogging: true,
      delivery: { time: 5 },
      digestDelivery: {},
      notification: {},
    }),
  } as unknown as TrailService;
  const counts = { received: 9, filtered: 1, duplicate: 1, rejected: 1, stored: 6 };
  const exporter = {
    id: "trail",
    state: "running",
    queued: 1,
    position: 7,
    batchAgeMsMax: 1,
  } as const;
  const { askJson } = await start(t, {
    history,
    trail,
    health: {
      pipelines: [{
        name: "audit",
        queue: { blocked: true, problem: "full" },
        counts,
        deadLetters: 2,
        exporters: [{ ...exporter, delivered: 5, deadLettered: 0, excluded: 0, lost: 0 }],
      }],
    },
  });
  t.match(await askJson("/api/status"), {
    now: NOW,
    state: "running",
    pipelines: [{
      name: "audit",
      counts,
      deadLetters: 2,
      exporters: [{ delivered: 5, queued: 1 }],
    }],
    trails: [{ name: "main", delivery: { time: 5 }, isLogging: true }],
    history: { events: 1, bytes: 4096 },
  });
  t.match(await askJson("/api/about"), {
    now: NOW,
    agent: { host: "web-01", accountId: "111122223333", state: "running" },
    services: { history: true, insights: false, lake: false },
  });
});
