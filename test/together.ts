// Runs several small test files in one process, one after the other: loading tap takes longer than
// most of them. Arguments: a word for the names of test folders, then the files. The runner tells the
// files apart by the lines between them.

import process from "node:process";

const [label = "together", ...files] = process.argv.splice(2);
process.argv.push(label);
// Only now: tap takes the names of its folders from the arguments.
const { default: t } = await import("tap");

for (const file of files) {
  t.comment(`file ${file}`);
  try {
    await import(new URL(`../${file}`, import.meta.url).href);
  } catch (error) {
    t.fail(`Cannot load ${file}`, { error: String(error) });
  }
  // Resolves when all tests before it have ended.
  await t.test(`end of ${file}`, async () => {});
}
