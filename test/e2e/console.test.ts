// The console in a browser, on the real agent: search, filters, histogram, records, comparison and
// downloads by mouse and by keys, at two widths and in both colours, with hostile values everywhere.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import t, { type Test } from "tap";
import { sampleRecord } from "../bench/sample-data.ts";
import { type RunningCairn, startCairn } from "./cairn.ts";

const CHROMIUM = process.env.CAIRN_CHROMIUM ?? "/usr/bin/chromium";
const isThere = existsSync(CHROMIUM);
if (!isThere && process.env.CI) throw new Error(`There is no Chromium at "${CHROMIUM}"`);
const skip = isThere ? false : `no Chromium at "${CHROMIUM}"`;

const RECORDS = 400;
const DAY_MS = 86_400_000;
const SCRIPT = '<img src=x onerror="window.ran=1"><script>window.ran=1</script>';
const HOSTILE = `${SCRIPT}\u001b[31m\u202e\u0000"'&`;
const NAMES = ["CreateUser", "DeleteUser", "AssumeRole", "PutBucketPolicy", "UserLogin"];

/** Records of ten days; the newest has markup and control characters wherever text may stand. */
function records(): object[] {
  const now = Date.now();
  const plain = Array.from({ length: RECORDS }, (_, i) => ({
    ...sampleRecord(i),
    eventName: NAMES[i % NAMES.length],
    eventTime: new Date(now - 60_000 - (RECORDS - i) * (10 * DAY_MS / RECORDS)).toISOString(),
    ...(i % 9 === 0 && { errorCode: "AccessDenied" }),
  }));
  const hostile = {
    ...sampleRecord(RECORDS),
    eventTime: new Date(now - 1000).toISOString(),
    eventName: HOSTILE,
    eventSource: HOSTILE,
    userIdentity: { type: "IAMUser", userName: HOSTILE, accessKeyId: HOSTILE },
    sourceIPAddress: HOSTILE,
    userAgent: HOSTILE,
    errorCode: HOSTILE,
    errorMessage: "javascript:alert(1)",
    resources: [{ type: HOSTILE, ARN: HOSTILE }],
    requestParameters: { [HOSTILE]: HOSTILE, number: "NUMBER" },
  };
  return [...plain, hostile];
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

interface Started {
  readonly agent: RunningCairn;
  readonly origin: string;
}

async function startAgent(t: Test): Promise<Started> {
  const lines = records().map((record) => JSON.stringify(record)).join("\n");
  const text = `${lines.replace('"NUMBER"', "12345678901234567890")}\n`;
  const folder = t.testdir({ "in.jsonl": text });
  const port = await freePort();
  const config = join(folder, "cairn.yaml");
  writeFileSync(
    config,
    `agent: { account_id: "111122223333", region: eu-central-1, data_dir: ${folder}/data }
receivers: { file: { path: ${folder}/in.jsonl, format: cloudtrail, start_at: beginning } }
exporters:
  history: { batch: { max_age: 20ms } }
  trail: { name: main, directory: ${folder}/trail, batch: { max_age: 20ms } }
extensions: { console: { endpoint: "127.0.0.1:${port}" } }
service:
  extensions: [console]
  pipelines: { audit: { receivers: [file], exporters: [history, trail] } }
`,
  );
  const agent = startCairn(["run", "--config", config]);
  await agent.said(/Running/);
  const origin = `http://127.0.0.1:${port}`;
  for (let events = 0; events <= RECORDS;) {
    const answer = await fetch(`${origin}/api/about`);
    const about = await answer.json() as { readonly history?: { readonly events: number } };
    events = about.history?.events ?? 0;
  }
  return { agent, origin };
}

/** A page that fails the test for what it must never do. */
async function open(t: Test, browser: Browser, origin: string, options?: BrowserContextOptions) {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 900 },
    permissions: ["clipboard-read", "clipboard-write"],
    ...options,
  });
  t.teardown(() => context.close());
  const page = await context.newPage();
  const wrong: string[] = [];
  page.on("request", (request) => {
    if (!request.url().startsWith(`${origin}/`)) wrong.push(`asked ${request.url()}`);
  });
  page.on("console", (message) => {
    if (message.type() !== "log") wrong.push(message.text());
  });
  page.on("pageerror", (error) => wrong.push(error.message));
  page.on("dialog", (dialog) => {
    wrong.push(`dialog ${dialog.message()}`);
    void dialog.dismiss();
  });
  return { page, wrong };
}

async function goTo(page: Page, address: string): Promise<void> {
  await page.goto(address);
  await page.waitForSelector(".events:not(.loading) tbody tr:not(.placeholder), .empty, .tiles");
}

/** The value of an expression in the page, whose types are not those of the tests. */
const run = (page: Page, expression: string) => page.evaluate<string | undefined>(expression);

const rows = (page: Page) => page.locator(".events tbody tr");
const settled = (page: Page) =>
  page.waitForSelector(".events:not(.loading)", { state: "attached" });

t.test("console in a browser", { skip }, async (t) => {
  const { agent, origin } = await startAgent(t);
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
  });
  // Not as a teardown: the folder would go before the agent.
  try {
    await testPages(t, browser, origin);
  } finally {
    await browser.close();
    agent.kill("SIGTERM");
    await agent.exit;
  }
});

/** Every test of the pages, one after the other. */
async function testPages(t: Test, browser: Browser, origin: string): Promise<void> {
  await t.test("runs nothing that stands in a record, and shows all of it", async (t) => {
    const { page, wrong } = await open(t, browser, origin);
    await goTo(page, `${origin}/#/events?text=onerror`);
    const row = rows(page).first();
    t.match(await row.innerText(), `${SCRIPT}\\u001b[31m\\u202e`);
    await row.locator(".time").click();
    const json = page.locator(".json");
    await json.waitFor();
    t.match(await json.innerText(), '"number": 12345678901234567890');
    t.match(await json.innerText(), "\\u202e");
    t.notMatch(await page.locator("body").innerText(), /\p{Cf}/u);
    await page.getByRole("button", { name: "Copy" }).click();
    await page.getByRole("button", { name: "Copied" }).waitFor();
    const copied = JSON.parse((await run(page, "navigator.clipboard.readText()"))!);
    t.equal(copied.eventName, HOSTILE);
    await page.locator(".facts button").first().click();
    await page.locator(".chip").nth(1).waitFor();
    await settled(page);
    t.equal(await rows(page).count(), 1, "the hostile value is found by itself");
    await page.keyboard.press("f");
    await page.locator(".values button").first().waitFor();
    await rows(page).first().locator("input").check();
    await page.goto(`${origin}/#/status`);
    await page.locator(".tiles").waitFor();
    t.equal(await run(page, "globalThis.ran"), undefined);
    t.same(wrong, []);
  });

  await t.test("narrows by clicks, words and chips; Back goes back", async (t) => {
    const { page, wrong } = await open(t, browser, origin);
    await goTo(page, `${origin}/`);
    t.equal(await rows(page).count(), 50);
    t.match(await page.locator(".head .hint").first().innerText(), /^40\d events since /);
    await rows(page).getByRole("button", { name: "AssumeRole" }).first().click();
    await page.locator(".chip").waitFor();
    await settled(page);
    const names = await rows(page).locator(".name").allInnerTexts();
    t.same([...new Set(names)], ["AssumeRole"]);
    await page.getByLabel("Errors only").check();
    await page.locator(".chip").nth(1).waitFor();
    await settled(page);
    t.same([...new Set(await rows(page).locator(".error").allInnerTexts())], ["AccessDenied"]);
    await page.keyboard.press("Escape");
    await page.locator("h1").click();
    await page.keyboard.press("/");
    await page.keyboard.type("arn:aws");
    await page.keyboard.press("Enter");
    await page.locator(".chip").nth(2).waitFor();
    await page.getByRole("button", { name: /Remove filter Event name/ }).click();
    await page.locator(".chip").nth(2).waitFor({ state: "detached" });
    await page.goBack();
    await page.locator(".chip").nth(2).waitFor();
    await page.getByRole("button", { name: "Clear all" }).click();
    await page.locator(".chip").nth(0).waitFor({ state: "detached" });
    t.equal(new URL(page.url()).hash, "#/events?");
    await page.getByRole("button", { name: "Next" }).click();
    await page.getByText("Page 2", { exact: true }).waitFor();
    await settled(page);
    await page.keyboard.press("p");
    await page.getByText("Page 1", { exact: true }).waitFor();
    await goTo(page, `${origin}/#/events?Username=nobody`);
    await page.getByText("No events match").waitFor();
    await page.getByRole("button", { name: "Show all events" }).click();
    await rows(page).nth(40).waitFor();
    t.same(wrong, []);
  });

  await t.test("takes a stretch of the histogram for the time range", async (t) => {
    const { page, wrong } = await open(t, browser, origin);
    await goTo(page, `${origin}/`);
    await page.locator(".column").first().waitFor();
    const plot = page.locator(".plot");
    const { x, y, width, height } = (await plot.boundingBox())!;
    await page.mouse.move(x + width * 0.25, y + height / 2);
    await page.mouse.down();
    await page.mouse.move(x + width * 0.5, y + height / 2, { steps: 4 });
    t.match(await page.locator(".tip").innerText(), /UTC · \d+ events/);
    await page.mouse.up();
    await page.waitForURL(/from=\d+&to=\d+/);
    const query = () => new URLSearchParams(new URL(page.url()).hash.split("?")[1]);
    const lengthMs = Number(query().get("to")) - Number(query().get("from"));
    t.ok(lengthMs > 2 * DAY_MS && lengthMs < 3.2 * DAY_MS, `${lengthMs / DAY_MS} of 10 days`);
    await page.waitForSelector(".histogram:not(.loading) .column");
    const before = page.url();
    await plot.focus();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Shift+ArrowRight");
    await page.keyboard.press("Enter");
    await page.waitForURL((url) => url.href !== before);
    t.ok(Number(query().get("to")) - Number(query().get("from")) < lengthMs / 5);
    await page.getByRole("button", { name: "Custom" }).click();
    await page.getByLabel("From, UTC").fill("2001-01-01T00:00:00");
    await page.getByLabel("to, UTC").fill("2001-01-02T00:00:00");
    await page.keyboard.press("Enter");
    await page.getByText("No events match").waitFor();
    t.same(wrong, []);
  });

  await t.test("is used by keys alone: list, record, comparison of up to five", async (t) => {
    const { page, wrong } = await open(t, browser, origin);
    await goTo(page, `${origin}/#/events?EventName=UserLogin`);
    for (let i = 0; i < 6; i++) {
      await page.keyboard.press("j");
      await page.keyboard.press("x");
    }
    t.equal(await page.locator(".events tr.chosen").count(), 5, "no sixth one");
    t.equal(await page.locator(".picked span").innerText(), "5 of 5 chosen");
    await page.keyboard.press("c");
    await page.locator(".compare tbody tr").first().waitFor();
    t.equal(await page.locator(".compare thead th").count(), 6);
    const fields = () => page.locator(".compare tbody th").allInnerTexts();
    t.ok((await fields()).includes("eventID"));
    t.notOk((await fields()).includes("eventName"), "only what differs");
    await page.getByLabel("Only what differs").uncheck();
    t.ok((await fields()).includes("eventName"));
    await page.keyboard.press("Escape");
    await page.keyboard.press("k");
    await page.keyboard.press("Enter");
    await page.locator(".drawer .json").waitFor();
    await page.keyboard.press("Escape");
    await page.locator(".drawer").waitFor({ state: "detached" });
    t.ok(await run(page, "document.activeElement.tagName === 'TR'"), "back in the list");
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
    await page.keyboard.press("Escape");
    await page.keyboard.press("2");
    await page.locator(".tiles").waitFor();
    t.same(wrong, []);
  });

  await t.test("downloads what the filters mean", async (t) => {
    const { page } = await open(t, browser, origin);
    await goTo(page, `${origin}/#/events?EventName=CreateUser`);
    const take = async (name: string) => {
      const coming = page.waitForEvent("download");
      await page.getByRole("link", { name, exact: true }).click();
      return readFileSync(await (await coming).path(), "utf8");
    };
    t.equal((await take("CSV")).trimEnd().split("\r\n").length, RECORDS / NAMES.length + 1);
    t.equal(JSON.parse(await take("JSON")).Records.length, RECORDS / NAMES.length);
  });

  for (const colorScheme of ["light", "dark"] as const) {
    await t.test(`fits wide and narrow windows, ${colorScheme}`, async (t) => {
      const { page, wrong } = await open(t, browser, origin, { colorScheme });
      const overflow = () =>
        run(page, "document.documentElement.scrollWidth - document.body.clientWidth");
      await goTo(page, `${origin}/#/events?text=a&EventSource=ec2.amazonaws.com`);
      t.equal(await overflow(), 0, "event history");
      await page.setViewportSize({ width: 390, height: 844 });
      t.equal(await overflow(), 0, "event history, narrow");
      const ground = await run(page, "getComputedStyle(document.body).backgroundColor");
      t.equal(ground, colorScheme === "dark" ? "rgb(16, 20, 21)" : "rgb(245, 244, 240)");
      await goTo(page, `${origin}/#/status`);
      await page.locator(".tiles").waitFor();
      t.equal(await overflow(), 0, "status, narrow");
      const text = await page.locator(".status").innerText();
      t.match(text, /Received[\s\S]*delivered[\s\S]*Last digest/i);
      await page.locator("#theme").click();
      t.equal(await run(page, "document.documentElement.dataset.theme"), "light");
      t.same(wrong, []);
    });
  }

  await t.test("says so when the agent does not answer", async (t) => {
    const { page } = await open(t, browser, origin);
    await goTo(page, `${origin}/`);
    await page.route("**/api/**", (route) => route.abort());
    await page.keyboard.press("r");
    await page.getByText("Cannot reach the agent").first().waitFor();
    await page.unroute("**/api/**");
    await page.getByRole("button", { name: "Try again" }).first().click();
    await rows(page).nth(40).waitFor();
    t.equal(await page.getByRole("alert").filter({ visible: true }).count(), 0);
  });
}
