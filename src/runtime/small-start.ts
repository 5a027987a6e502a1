// How the process loads the program: once, and small. V8 would compile code that runs only while
// loading for speed, and make room for its garbage; an idle agent would keep both resident for good.
// Deno takes V8's flags on its command line only: its task in deno.json has those that matter there.

import { setFlagsFromString } from "node:v8";

// V8 reads these whenever it decides, so that they may change while it runs. Sparkplug and opt are
// its compilers; without them the interpreter does the loading, which takes no longer.
const WHILE_LOADING = ["--optimize-for-size", "--no-opt", "--no-sparkplug"];
// Under load V8 would let the heap double between two full collections; half as much again costs no
// CPU that can be measured, and a tenth less memory at the peak.
const WHILE_RUNNING = [
  "--no-optimize-for-size",
  "--opt",
  "--sparkplug",
  "--heap-growing-percent=50",
];

/**
 * Loads in little memory, until `endSmallStart`: about ten MiB less in an idle agent. For a program
 * that owns its process, before it imports the rest of itself.
 */
export function beginSmallStart(): void {
  for (const flag of WHILE_LOADING) setFlagsFromString(flag);
}

/** Everything is loaded: from here on V8 works for speed. Safe twice. */
export function endSmallStart(): void {
  for (const flag of WHILE_RUNNING) setFlagsFromString(flag);
}
