// The page's beginning: navigation, colours, shortcuts, and which page the address names.

import { ask } from "./ask.js";
import { byId, emptyState, errorState, h, openDialog } from "./dom.js";
import { visible } from "./format.js";
import { pagesOf } from "./pages.js";
import { followTheme } from "./theme.js";

/** @typedef {import("./pages.js").About} About */

// While the agent starts, what it keeps may not be open yet.
const START_LOOK_MS = 1000;

const SHORTCUTS = [
  ["/", "Search"],
  ["f", "Add a filter"],
  ["↑ ↓ or k j", "Move in the list"],
  ["Enter", "Open the event"],
  ["x", "Choose the event for comparison"],
  ["c", "Compare what is chosen"],
  ["p n", "Previous and next page"],
  ["r", "Refresh"],
  ["1 2", "Event history, Status"],
  ["Esc", "Close"],
];

/** @type {{ id: string, shown: import("./pages.js").Shown } | undefined} */
let current;
/** @type {About} */
let about;
let turn = 0;

function place() {
  const [, id = "", query = ""] = /^#\/([a-z]*)(?:\?(.*))?$/.exec(location.hash) ?? [];
  return { id, query: new URLSearchParams(query) };
}

async function follow() {
  const { id, query } = place();
  const pages = pagesOf(about);
  const page = pages.find((one) => one.id === id) ?? pages[0];
  if (page === undefined) return;
  if (current?.id === page.id) return current.shown.update(query);
  current?.shown.close();
  current = undefined;
  const mine = ++turn;
  const main = byId("main");
  main.replaceChildren();
  document.title = `${page.title} – Cairn`;
  showNavigation(page.id);
  const { show } = await page.load();
  // Somebody may have gone on while it was loaded.
  if (mine !== turn) return;
  current = { id: page.id, shown: show(main, about, query) };
}

/** @param {string} chosen */
function showNavigation(chosen) {
  byId("nav").replaceChildren(
    ...pagesOf(about).map(({ id, title }) =>
      h("a", { href: `#/${id}`, "aria-current": id === chosen && "page" }, title)
    ),
  );
}

function showHelp() {
  openDialog(
    "narrow",
    "Keyboard shortcuts",
    h(
      "dl",
      { class: "shortcuts" },
      SHORTCUTS.flatMap(([keys, text]) => [h("dt", {}, h("kbd", {}, keys)), h("dd", {}, text)]),
    ),
  );
}

/** @param {KeyboardEvent} event */
function takeKey(event) {
  const { target } = event;
  const isWriting = target instanceof HTMLInputElement && target.type !== "checkbox" ||
    target instanceof HTMLSelectElement || target instanceof HTMLTextAreaElement;
  if (isWriting || event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.querySelector("dialog[open]") !== null) return;
  if (event.key === "?") return showHelp();
  const page = pagesOf(about)[Number(event.key) - 1];
  if (page !== undefined) location.hash = `#/${page.id}`;
  else current?.shown.key?.(event);
}

async function begin() {
  const main = byId("main");
  try {
    about = await ask("/api/about");
  } catch (error) {
    main.replaceChildren(errorState(error, () => void begin()));
    return;
  }
  const { agent } = about;
  if (agent.state === "starting") {
    main.replaceChildren(emptyState("The agent is starting", "This page follows in a moment."));
    setTimeout(() => void begin(), START_LOOK_MS);
    return;
  }
  byId("agent").textContent = visible(agent.host);
  byId("agent").title = visible(
    `Account ${agent.accountId}, region ${agent.region}, cairn ${agent.version}`,
  );
  addEventListener("hashchange", () => void follow());
  addEventListener("keydown", takeKey);
  await follow();
}

followTheme(byId("theme"));
byId("help").addEventListener("click", showHelp);
await begin();
