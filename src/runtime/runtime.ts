// Which runtime this is. The files of this folder are the only ones that tell Node from Deno.

import type { Runtime } from "../../plugins/sdk/index.ts";

/** The runtime the process is in. Its parts are loaded here, and only those it needs. */
export async function detectRuntime(): Promise<Runtime> {
  if ("Deno" in globalThis) return (await import("./deno.ts")).createDenoRuntime();
  return (await import("./node.ts")).createNodeRuntime();
}
