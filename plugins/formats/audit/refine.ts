// Actions that the record type alone does not tell: those that `op=` or the program decide. One
// table; the first row that fits wins.

import { field } from "./facts.ts";
import type { Facts } from "./facts.ts";

// Record type, what `op` must match, action.
const OPERATIONS: readonly (readonly [types: string, op: RegExp, action: string])[] = [
  ["CONFIG_CHANGE", /^add_rule|^add rule/, "CreateAuditRule"],
  ["CONFIG_CHANGE", /^remove_rule|^remove rule/, "DeleteAuditRule"],
  [
    "USER_ACCT USER_MGMT GRP_MGMT USER_CHAUTHTOK",
    /add.*\b(?:user|member).*group/,
    "AddUserToGroup",
  ],
  ["USER_ACCT", /^user .* added by .* to group/, "AddUserToGroup"],
  [
    "USER_ACCT USER_MGMT GRP_MGMT USER_CHAUTHTOK DEL_USER",
    /(?:delet|remov).*\b(?:user|member).*from.*group|^user .* removed by .* from group/,
    "RemoveUserFromGroup",
  ],
  ["ADD_USER USER_MGMT", /^add.*home/, "CreateHomeDirectory"],
  ["DEL_USER USER_MGMT", /^delet.*home/, "DeleteHomeDirectory"],
  ["USER_MGMT USER_CHAUTHTOK", /(?:^|[^n])lock/, "LockUser"],
  ["USER_MGMT USER_CHAUTHTOK", /unlock/, "UnlockUser"],
  ["USER_CHAUTHTOK", /^PAM:|passw|chauthtok/, "ChangePassword"],
  ["USER_CHAUTHTOK", /./, "UpdateUser"],
  ["BPF", /^UNLOAD/, "UnloadBpfProgram"],
  ["CRYPTO_KEY_USER", /^destroy/, "DeleteCryptoKey"],
  ["CRYPTO_SESSION", /^(?:stop|end|destroy)/, "EndCryptoSession"],
  ["VIRT_CONTROL", /^start/, "StartVirtualMachine"],
  ["VIRT_CONTROL", /^(?:stop|shutdown|destroy)/, "StopVirtualMachine"],
  ["AVC APPARMOR_STATUS", /^profile_load/, "LoadSecurityProfile"],
  ["AVC APPARMOR_STATUS", /^profile_replace/, "ReplaceSecurityProfile"],
  ["AVC APPARMOR_STATUS", /^profile_remove/, "RemoveSecurityProfile"],
];

interface Row {
  readonly pattern: RegExp;
  readonly action: string;
}

// Programs that make the caller another account; their new session is the assumption.
const SWITCHERS: ReadonlySet<string> = new Set(["su", "runuser", "doas", "pkexec"]);

// The rows of each type, in their order.
const ROWS: ReadonlyMap<string, readonly Row[]> = rowsByType();

/** The action, where more than the record type is known about it. `call` is the system call. */
export function refinedAction(facts: Facts, call: string | undefined): string {
  const { type, fields } = facts.primary;
  if (type === "KERN_MODULE" && call === "delete_module") return "UnloadKernelModule";
  // auditctl --reset-lost: what the kernel had dropped until then stands in `old`.
  if (type === "CONFIG_CHANGE" && fields.has("lost")) return "ResetLostAuditCount";
  if (type === "USER_START" && SWITCHERS.has(facts.program ?? "")) return "AssumeRole";
  const rows = ROWS.get(type);
  const op = rows && (field(facts, "op") ?? field(facts, "operation"));
  if (op === undefined) return facts.rule.action;
  return rows!.find(({ pattern }) => pattern.test(op))?.action ?? facts.rule.action;
}

function rowsByType(): Map<string, Row[]> {
  const byType = new Map<string, Row[]>();
  for (const [types, pattern, action] of OPERATIONS) {
    for (const type of types.split(" ")) {
      const rows = byType.get(type) ?? [];
      byType.set(type, [...rows, { pattern, action }]);
    }
  }
  return byType;
}
