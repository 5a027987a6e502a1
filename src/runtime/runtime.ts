// Which runtime this is. The files of this folder are the only ones that tell Node from Deno.

import type { Runtime } from "../../plugins/sdk/index.ts";

/** A runtime as the host sees it; what plugins get of it is in the SDK. */
export interface HostRuntime extends Runtime {
  /** What it adds to the queue's file calls. */
  readonly files?: {
    /** An advisory lock on a folder: see Files in src/queue/files.ts. Node has none. */
    lockFolder(path: string): Promise<(() => void) | undefined>;
  };
}

/** The runtime the process is in. Its parts are loaded here, and only those it needs. */
export async function detectRuntime(): Promise<HostRuntime> {
  if ("Deno" in globalThis) return (await import("./deno.ts")).createDenoRuntime();
  return (await import("./node.ts")).createNodeRuntime();
}
