// The page "Event history": search, histogram, list, and what is done with events.

import { ask } from "./ask.js";
import { createChosen } from "./chosen.js";
import { announce, errorState, h } from "./dom.js";
import { createEventTable } from "./event-table.js";
import { createFilterBar } from "./filter-bar.js";
import { counted, day, size } from "./format.js";
import { createHistogram } from "./histogram.js";
import { looking, noHistory, nothing } from "./list-states.js";
import { openRecord } from "./record-panel.js";
import { askedOf, readSearch, timesOf, withFilter, writeSearch } from "./search.js";
import { createTimeRange } from "./time-range.js";

/** @typedef {import("./search.js").Search} Search */
/** @typedef {import("./pages.js").About} About */
/** @typedef {import("./event-table.js").ListedEvent} ListedEvent */
/** @typedef {{ events: Omit<ListedEvent, "category">[], next?: string }} EventPage */

const DAY_MS = 86_400_000;

/** @type {import("./pages.js").Show} */
export function show(main, about, query) {
  if (!about.services.history) {
    main.append(
      h("h1", {}, "Event history"),
      noHistory(),
    );
    return { update() {}, close() {} };
  }
  const page = new EventsPage(about);
  main.append(...page.elements);
  page.update(query);
  return page;
}

class EventsPage {
  #about;
  /** How far the agent's clock is ahead of the browser's. */
  #aheadMs;
  /** @type {Search} */
  #search = readSearch(new URLSearchParams());
  /** Positions of the pages up to this one. @type {(string | undefined)[]} */
  #places = [undefined];
  /** @type {string | undefined} */
  #next;
  #chosen = createChosen(() => this.#table.refresh());
  #asking = new AbortController();
  #bar = createFilterBar((search) => this.#go(search), (attribute, signal) => {
    const asked = askedOf(this.#search, this.#now());
    asked.set("attribute", attribute);
    return ask("/api/values", asked, signal);
  });
  #range = createTimeRange((search) => this.#go(search));
  #histogram = createHistogram((from, to) =>
    this.#go({ ...this.#search, range: "custom", from, to })
  );
  #table = createEventTable({
    open: (event) => openRecord(event, (key, value) => this.#filter(key, value)),
    filter: (key, value) => this.#filter(key, value),
    find: (text) => this.#go({ ...this.#search, text }),
    choose: (event) => this.#chosen.toggle(event),
    isChosen: (event) => this.#chosen.has(event),
  });
  #extent = h("p", { class: "hint" });
  #state = h("div", {});
  #older = h("button", { type: "button", class: "button", onclick: () => this.#turn(1) }, "Next ›");
  #newer = h(
    "button",
    { type: "button", class: "button", onclick: () => this.#turn(-1) },
    "‹ Previous",
  );
  #number = h("span", { class: "hint" });
  #csv = h("a", { class: "button", download: true }, "CSV");
  #json = h("a", { class: "button", download: true }, "JSON");
  #order = h("button", { type: "button", class: "button quiet", onclick: () => this.#turnRound() });

  /** @param {About} about */
  constructor(about) {
    this.#about = about;
    this.#aheadMs = about.now - Date.now();
  }

  get elements() {
    const refresh = () => void this.#refresh();
    return [
      h(
        "div",
        { class: "row between head" },
        h("div", {}, h("h1", {}, "Event history"), this.#extent),
        h(
          "div",
          { class: "row" },
          h("span", { class: "hint" }, "Download"),
          this.#csv,
          this.#json,
          h("button", { type: "button", class: "button", onclick: refresh }, "Refresh"),
        ),
      ),
      this.#bar.element,
      h("div", { class: "card" }, this.#range.element, this.#histogram.element),
      h(
        "div",
        { class: "card list" },
        this.#state,
        this.#table.element,
        h(
          "div",
          { class: "row between pager" },
          this.#order,
          h("div", { class: "row" }, this.#number, this.#newer, this.#older),
        ),
      ),
      this.#chosen.element,
    ];
  }

  /** @param {URLSearchParams} query */
  update(query) {
    this.#search = readSearch(query);
    this.#places = [undefined];
    const { events = 0, bytes = 0, oldest } = this.#about.history ?? {};
    this.#extent.textContent = oldest === undefined
      ? "Nothing yet"
      : `${counted(events, "event")} since ${day(oldest)} · ${size(bytes)} on disk`;
    this.#bar.render(this.#search);
    this.#range.render(this.#search, this.#shownTimes());
    const asked = askedOf(this.#search, this.#now());
    this.#csv.href = `/api/download?form=csv&${asked}`;
    this.#json.href = `/api/download?form=json&${asked}`;
    this.#order.textContent = this.#search.order === "oldest" ? "Oldest first ↑" : "Newest first ↓";
    void this.#load(true);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (this.#table.key(event)) return;
    /** @type {Record<string, () => void>} */
    const actions = {
      "/": () => this.#bar.focus(),
      f: () => this.#bar.add(),
      r: () => void this.#refresh(),
      c: () => this.#chosen.compare(),
      n: () => this.#turn(1),
      p: () => this.#turn(-1),
    };
    const action = Object.hasOwn(actions, event.key) ? actions[event.key] : undefined;
    if (action === undefined) return;
    event.preventDefault();
    action();
  }

  close() {
    this.#asking.abort();
  }

  #now() {
    return Date.now() + this.#aheadMs;
  }

  /** @param {Search} search */
  #go(search) {
    const hash = `#/events?${writeSearch(search)}`;
    if (hash === location.hash) this.update(writeSearch(search));
    else location.hash = hash;
  }

  /**
   * @param {string} key
   * @param {string} value
   */
  #filter(key, value) {
    this.#go(withFilter(this.#search, key, value));
  }

  #turnRound() {
    this.#go({ ...this.#search, order: this.#search.order === "oldest" ? "newest" : "oldest" });
  }

  /** @param {1 | -1} by */
  #turn(by) {
    if (by === 1 && this.#next !== undefined) this.#places.push(this.#next);
    else if (by === -1 && this.#places.length > 1) this.#places.pop();
    else return;
    void this.#load(false);
  }

  async #refresh() {
    try {
      this.#about = await ask("/api/about");
      this.update(writeSearch(this.#search));
    } catch (error) {
      this.#showError(error);
    }
  }

  /** The times that the histogram shows. */
  #shownTimes() {
    const now = this.#now();
    const { from = this.#about.history?.oldest ?? now - DAY_MS, to = now } = timesOf(
      this.#search,
      now,
    );
    return { from: Math.min(from, to - 1), to };
  }

  /** @param {boolean} isNew whether the histogram is another, too */
  async #load(isNew) {
    this.#asking.abort();
    this.#asking = new AbortController();
    const { signal } = this.#asking;
    this.#table.loading();
    this.#next = undefined;
    this.#showPager();
    if (isNew) this.#histogram.loading();
    const asked = askedOf(this.#search, this.#now());
    asked.set("order", this.#search.order);
    const after = this.#places.at(-1);
    if (after !== undefined) asked.set("after", after);
    try {
      this.#show(await this.#read(asked, signal));
    } catch (error) {
      if (!signal.aborted) this.#showError(error);
    }
    // After the list, which is what one waits for.
    if (isNew && !signal.aborted) await this.#count(signal);
  }

  /**
   * A page with something in it, or the end: what is rare may be many events away.
   * @param {URLSearchParams} asked
   * @param {AbortSignal} signal
   */
  async #read(asked, signal) {
    for (;;) {
      /** @type {EventPage} */
      const page = await ask("/api/events", asked, signal);
      if (page.events.length > 0 || page.next === undefined) return page;
      asked.set("after", page.next);
      this.#table.element.hidden = true;
      this.#state.replaceChildren(looking(() => {
        this.#asking.abort();
        this.#show({ events: [], next: page.next });
      }));
    }
  }

  /** @param {EventPage} page */
  #show({ events, next }) {
    this.#next = next;
    const { category } = this.#search;
    this.#table.render(events.map((event) => ({ ...event, category })));
    this.#table.element.hidden = events.length === 0;
    const lookOn = next === undefined ? undefined : () => this.#turn(1);
    const state = nothing(this.#search, (search) => this.#go(search), lookOn);
    this.#state.replaceChildren(...events.length === 0 ? [state] : []);
    this.#showPager();
    announce(`${counted(events.length, "event")} on page ${this.#places.length}`);
  }

  /** @param {unknown} error */
  #showError(error) {
    this.#table.render([]);
    this.#table.element.hidden = true;
    this.#state.replaceChildren(errorState(error, () => void this.#refresh()));
  }

  #showPager() {
    this.#older.disabled = this.#next === undefined;
    this.#newer.disabled = this.#places.length < 2;
    this.#number.textContent = `Page ${this.#places.length}`;
  }

  /** @param {AbortSignal} signal */
  async #count(signal) {
    const { from, to } = this.#shownTimes();
    const asked = askedOf(this.#search, this.#now());
    asked.set("from", String(Math.floor(from)));
    asked.set("to", String(Math.ceil(to)));
    asked.set("buckets", String(this.#histogram.buckets()));
    try {
      /** @type {{ counts?: number[] }} */
      const { counts } = await ask("/api/histogram", asked, signal);
      if (counts === undefined) this.#histogram.none("Too much to count: look at a shorter time");
      else this.#histogram.render({ counts, from, to });
    } catch {
      if (!signal.aborted) this.#histogram.none("Cannot count the events");
    }
  }
}
