// Names of files that are no UTF-8: they reach nobody here as they are, so that such a file seems to be
// missing although a folder lists it.

/** Whether a path went through a reader that could not spell it. */
export function isUnspellable(path: string): boolean {
  return path.includes("\ufffd");
}

/** Why a path is not found, in a few words. */
export function notFoundReason(path: string, what = "no such file"): string {
  return isUnspellable(path) ? "its name is not UTF-8; give it another" : what;
}
