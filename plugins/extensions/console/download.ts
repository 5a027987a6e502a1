// Events as files: CSV for spreadsheets, or the records as a log file of CloudTrail has them. Read and
// sent a page at a time, as the browser takes them in.

import type { EventHistory, HistoryEvent, HistoryFilter } from "../../sdk/event-history.ts";
import { historyCsv } from "../../sdk/history-csv.ts";
import type { HttpRequest, HttpResponse } from "../../sdk/http-message.ts";
import { readFilter } from "./filter.ts";
import { refusal } from "./guard.ts";

const PAGE_EVENTS = 500;
const AT_ONCE = 2;

interface Form {
  readonly type: string;
  readonly head: string;
  readonly tail: string;
  line(event: HistoryEvent, isFirst: boolean): string;
}

const FORMS: Readonly<Record<string, Form>> = {
  csv: {
    type: "text/csv; charset=utf-8",
    // With the mark by which spreadsheets know UTF-8.
    head: `\ufeff${historyCsv.head}`,
    tail: "",
    line: historyCsv.line,
  },
  json: {
    type: "application/json; charset=utf-8",
    head: '{"Records":[\n',
    tail: "\n]}\n",
    line: ({ text }, isFirst) => isFirst ? text : `,\n${text}`,
  },
};

/** Sends what a filter means; so many at once. */
export class Downloads {
  #underWay = 0;

  /** The file of the form `csv` or `json`. Throws QueryError. */
  answer(
    history: EventHistory,
    { query, signal }: Pick<HttpRequest, "query" | "signal">,
    now: number,
  ): HttpResponse {
    const name = query.get("form") === "json" ? "json" : "csv";
    const filter = readFilter(query);
    if (this.#underWay >= AT_ONCE) {
      return refusal(503, `${AT_ONCE} downloads are under way: try again when one has ended`);
    }
    const form = FORMS[name]!;
    const at = new Date(now).toISOString().slice(0, 19).replaceAll(":", "");
    return {
      status: 200,
      headers: {
        "content-type": form.type,
        "content-disposition": `attachment; filename="cairn-events-${at}Z.${name}"`,
      },
      body: this.#pieces(history, filter, form, signal),
    };
  }

  async *#pieces(
    history: EventHistory,
    filter: HistoryFilter,
    form: Form,
    signal: AbortSignal,
  ): AsyncGenerator<string> {
    this.#underWay++;
    try {
      yield form.head;
      let after: string | undefined;
      let isFirst = true;
      do {
        const page = await history.lookup({ ...filter, limit: PAGE_EVENTS, after, signal });
        let piece = "";
        for (const event of page.events) {
          piece += form.line(event, isFirst);
          isFirst = false;
        }
        if (piece !== "") yield piece;
        after = page.next;
      } while (after !== undefined);
      if (form.tail !== "") yield form.tail;
    } finally {
      this.#underWay--;
    }
  }
}
