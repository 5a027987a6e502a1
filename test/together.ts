// Runs several small test files in one process, one after the other: loading tap takes longer than
// most of them. Arguments: a word for the names of test folders, then the files. The runner tells the
// files apart by the lines between them.

import process from "node:process";

const [label = "together", ...files] = process.argv.splice(2);
process.argv.push(label);
// Only now: tap takes the names of its folders from the arguments.
const { default: t } = await import("tap");

// What a file has torn down at its end is done then; tap would also end the process there.
let teardowns: (() => unknown)[] = [];
t.teardown = (teardown) => void teardowns.push(teardown);

for (const file of files) {
  t.comment(`file ${file}`);
  try {
    await import(new URL(`../${file}`, import.meta.url).href);
  } catch (error) {
    t.fail(`Cannot load ${file}`, { error: String(error) });
  }
  // Begins when all tests before it have ended.
  await t.test(`end of ${file}`, async () => {
    for (const teardown of teardowns.reverse()) await teardown();
    teardowns = [];
  });
}
