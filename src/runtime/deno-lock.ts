// Deno: the kernel's advisory locks (flock), which need no more permission than reading the folder.

interface LockableFile {
  tryLock(exclusive: boolean): Promise<boolean>;
  close(): void;
}

interface FolderOpener {
  open(path: string, options: { readonly read: true }): Promise<LockableFile>;
}

/**
 * Locks a folder until the function it resolves with is called or the process ends, however it
 * ends; undefined while another has it. Rejects where the file system knows no such locks.
 */
export async function lockFolder(path: string): Promise<(() => void) | undefined> {
  const { Deno } = globalThis as unknown as { readonly Deno: FolderOpener };
  const folder = await Deno.open(path, { read: true });
  try {
    if (await folder.tryLock(true)) return () => folder.close();
  } catch (error) {
    folder.close();
    throw error;
  }
  folder.close();
  return undefined;
}
