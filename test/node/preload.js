// Starts a test file on Node from what `tsc` has built, under the name of its source:
// `node --import ./test/node/preload.js src/x.test.ts`. No TypeScript at run time.

import asyncHooks from "node:async_hooks";
import { register, syncBuiltinESMExports } from "node:module";

register("./built-sources.js", import.meta.url);

// tap follows every promise, to know which test an uncaught error comes from: that makes tests with
// many promises two to three times as slow. Without it such an error fails the file, as on Deno.
asyncHooks.createHook = () => {
  const hook = { enable: () => hook, disable: () => hook };
  return hook;
};
syncBuiltinESMExports();
