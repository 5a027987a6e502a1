// Opens files before their turn, so that a store's answer is there when it is needed. They are given
// in the order they were found in.

import type { FoundFile, OpenFile } from "./origin.ts";

/** Gives the files, the next `count` of them opened. What was opened and not given is discarded. */
export async function* openAhead(
  files: AsyncIterable<FoundFile>,
  count: number,
): AsyncGenerator<FoundFile> {
  const waiting: FoundFile[] = [];
  const early = new Map<FoundFile, OpenFile>();
  const give = (): FoundFile => {
    const file = waiting.shift()!;
    return { ...file, open: () => taken(early, file) };
  };
  try {
    for await (const file of files) {
      waiting.push(file);
      if (count > 0 && file.isDigest !== true) early.set(file, file.open());
      if (waiting.length > count) yield give();
    }
    while (waiting.length > 0) yield give();
  } finally {
    for (const open of early.values()) open.discard();
  }
}

/** What was opened early, once; after that the file from its beginning again. */
function taken(early: Map<FoundFile, OpenFile>, file: FoundFile): OpenFile {
  const open = early.get(file);
  early.delete(file);
  return open ?? file.open();
}
