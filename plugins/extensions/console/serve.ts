// From a request of the page to its answer. Whoever looks events up is recorded, as LookupEvents; the
// pages of one search, what is drawn beside it and looking again soon are one look.

import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { LRUCache } from "lru-cache";
import type { ComponentContext, Host } from "../../sdk/component.ts";
import {
  type EventHistory,
  eventHistoryService,
  HistoryPositionError,
} from "../../sdk/event-history.ts";
import type { HttpHead, HttpRequest, HttpResponse } from "../../sdk/http-message.ts";
import type { JsonObject } from "../../sdk/json.ts";
import { selfAuditService } from "../../sdk/self-audit.ts";
import type { ConsoleConfig } from "./config.ts";
import { Downloads } from "./download.ts";
import { answerEvents, answerHistogram, answerRecord, answerValues } from "./events.ts";
import { QueryError } from "./filter.ts";
import { Guard, jsonAnswer, refusal, secured } from "./guard.ts";
import type { PageFiles } from "./page-files.ts";
import { about, status } from "./status.ts";

/** Whoever has to find out why a queue is full must not wait for it to have room. */
const RECORD_MS = 2000;

/** Looking for the same again within this time is no other look. */
const LOOK_MS = 10 * 60_000;
const LOOKS_MAX = 1000;

type Answer = (history: EventHistory, request: HttpRequest) => Promise<HttpResponse> | HttpResponse;

/** Answers the requests of one run of the extension. */
export class ConsoleServer {
  readonly #options: ConsoleConfig;
  readonly #context: ComponentContext;
  readonly #host: Host;
  readonly #files: PageFiles;
  readonly #guard: Guard;
  readonly #downloads = new Downloads();
  /** When who looked for what. */
  readonly #looks = new LRUCache<string, number>({ max: LOOKS_MAX });
  readonly #lookups: Readonly<Record<string, Answer>>;

  constructor(options: ConsoleConfig, context: ComponentContext, host: Host, files: PageFiles) {
    this.#options = options;
    this.#context = context;
    this.#host = host;
    this.#files = files;
    this.#guard = new Guard(options, (reason) => context.ignored(reason));
    this.#lookups = {
      "/api/events": (history, request) => this.#events(history, request),
      "/api/record": answerRecord,
      "/api/histogram": answerHistogram,
      "/api/values": answerValues,
      "/api/download": (history, request) => this.#download(history, request),
    };
  }

  /** Refuses by its head what is not to be answered. */
  admit(head: HttpHead): HttpResponse | undefined {
    const refused = this.#guard.refuse(head, (path) => this.#isKnown(path));
    return refused && secured(refused);
  }

  /** Answers a request. */
  async answer(request: HttpRequest): Promise<HttpResponse> {
    try {
      return secured(await this.#answer(request));
    } catch (error) {
      if (error instanceof QueryError) return secured(refusal(400, error.message));
      if (!(error instanceof HistoryPositionError)) throw error;
      return secured(refusal(400, "The place in the list is not there any more: search again"));
    }
  }

  #isKnown(path: string): boolean {
    return this.#files.has(path) || path === "/api/about" || path === "/api/status" ||
      Object.hasOwn(this.#lookups, path);
  }

  async #answer(request: HttpRequest): Promise<HttpResponse> {
    const { path } = request;
    const now = this.#context.clock();
    if (path === "/api/about") {
      return jsonAnswer({ now, ...about(this.#host, this.#context.agent) });
    }
    if (path === "/api/status") return jsonAnswer({ now, ...status(this.#host) });
    const lookup = this.#lookups[path];
    if (lookup === undefined) return this.#files.answer(request);
    const history = this.#host.find(eventHistoryService)[0];
    if (history !== undefined) return await lookup(history, request);
    return refusal(404, "No event history is kept: add exporter history to the configuration");
  }

  async #events(history: EventHistory, request: HttpRequest): Promise<HttpResponse> {
    const answer = await answerEvents(history, request);
    if (!this.#isSameLook(request)) await this.#record(request);
    return answer;
  }

  async #download(history: EventHistory, request: HttpRequest): Promise<HttpResponse> {
    const answer = this.#downloads.answer(history, request, this.#context.clock());
    if (answer.status === 200 && request.method === "GET") await this.#record(request);
    return request.method === "GET" ? answer : { ...answer, body: "" };
  }

  #isSameLook({ query, peer, headers }: HttpRequest): boolean {
    const asked = new URLSearchParams(query);
    for (const name of ["after", "order", "limit", "from", "to"]) asked.delete(name);
    const look = JSON.stringify([peer.address, headers["user-agent"], asked.toString()]);
    const now = this.#context.clock();
    const last = this.#looks.get(look);
    if (last !== undefined && now - last < LOOK_MS) return true;
    this.#looks.set(look, now);
    return false;
  }

  async #record({ peer, headers, query, path }: HttpRequest): Promise<void> {
    const { username, password } = this.#options;
    const userAgent = headers["user-agent"];
    const recorded = this.#host.find(selfAuditService)[0]?.record({
      id: `console/${randomUUID()}`,
      time: this.#context.clock(),
      service: "cairn",
      action: "LookupEvents",
      actor: password === undefined ? { type: "anonymous" } : { type: "user", name: username },
      outcome: { success: true },
      origin: {
        ...(peer.address !== "" && { address: peer.address, port: peer.port }),
        ...(userAgent !== undefined && { userAgent }),
      },
      request: requestOf(query, path),
      readOnly: true,
      category: "Management",
    }).catch((error: unknown) => {
      const why = error instanceof Error ? error.message : String(error);
      this.#context.log.warn(`Cannot record that events were looked up: ${why}`);
    });
    await Promise.race([recorded, delay(RECORD_MS, undefined, { ref: false })]);
  }
}

/** What was asked. Not the free text: whoever searches for it again would find the search. */
function requestOf(query: URLSearchParams, path: string): JsonObject {
  const told = new URLSearchParams(query);
  told.delete("text");
  return {
    query: told.toString(),
    freeText: query.has("text"),
    download: path === "/api/download",
  };
}
