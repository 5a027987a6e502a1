// The options of receiver `journald`.

import { z } from "zod";
import { size } from "../../sdk/index.ts";

/** Its schema. */
export const config = z.strictObject({
  start_at: z.enum(["end", "beginning"]).optional().describe(
    "Where to begin at the first start: with entries from now on, or with the oldest; under " +
      "--once, and for files, the beginning when not set",
  ),
  units: z.array(z.string().min(1)).max(256).default([]).describe(
    "Only entries of and about these units, such as ssh.service; empty: all entries",
  ),
  directory: z.string().min(1).optional().describe(
    "A folder of journal files to follow instead of this machine's journal",
  ),
  files: z.array(z.string().min(1)).max(64).default([]).describe(
    "Files to read instead of this machine's journal: journal files, or what journalctl -o json " +
      "or -o export wrote; which it is, their first bytes tell",
  ),
  audit_records: z.boolean().default(true).describe(
    "Whether the kernel's audit records in the journal become events; false where receiver auditd " +
      "takes them",
  ),
  command: z.string().min(1).default("journalctl").describe(
    "The program that reads journals",
  ),
  max_entry_bytes: size.prefault("256KiB").describe(
    "Longest entry in JSON, and longest field of an export, that is read; a longer entry is set " +
      "aside, cut at this length, a longer field left out",
  ),
});
