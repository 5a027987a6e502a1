// The pages there are, in their order. One more page is one more line: its name in the address, its
// title, the service of `/api/about` that has to be there, and the module that shows it.

/**
 * @typedef {object} About
 * @property {number} now
 * @property {{ version: string, host: string, accountId: string, region: string, state: string }} agent
 * @property {Record<string, boolean>} services
 * @property {{ events: number, bytes: number, oldest?: number, newest?: number }} [history]
 */

/**
 * A page that is shown.
 * @typedef {object} Shown
 * @property {(query: URLSearchParams) => void} update called when the address changes
 * @property {(event: KeyboardEvent) => void} [key] called for keys that nothing else takes
 * @property {() => void} close
 */

/** @typedef {(main: HTMLElement, about: About, query: URLSearchParams) => Shown} Show */

/**
 * @typedef {object} Page
 * @property {string} id
 * @property {string} title
 * @property {string} [service]
 * @property {() => Promise<{ show: Show }>} load
 */

/** @type {readonly Page[]} */
export const PAGES = [
  { id: "events", title: "Event history", load: () => import("./events-page.js") },
  { id: "status", title: "Status", load: () => import("./status-page.js") },
];

/**
 * Those that have something to show.
 * @param {About} about
 */
export function pagesOf({ services }) {
  return PAGES.filter(({ service }) => service === undefined || services[service]);
}
