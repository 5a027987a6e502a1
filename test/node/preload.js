// Starts a test file on Node from what `tsc` has built, under the name of its source:
// `node --import ./test/node/preload.js src/x.test.ts`. No TypeScript at run time.

import { register } from "node:module";

register("./built-sources.js", import.meta.url);
