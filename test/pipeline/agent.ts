// The agent that the pipeline's tests run as, and the events they feed it.

import type { AgentIdentity, AuditEvent, Log } from "../../plugins/sdk/index.ts";

export const agent: AgentIdentity = {
  accountId: "111122223333",
  region: "eu-central-1",
  partition: "cairn",
  domain: "host.internal",
  host: "web-01",
  version: "0.1.0",
};

/** A log that keeps its lines. */
export function recordingLog(): Log & { readonly lines: string[] } {
  const lines: string[] = [];
  const level = (name: string) => (message: string) => {
    lines.push(`${name} ${message}`);
  };
  return {
    lines,
    debug: level("debug"),
    info: level("info"),
    warn: level("warn"),
    error: level("error"),
  };
}

/** A login of alice, with what the test is about. */
export function event(parts: Partial<AuditEvent> = {}): AuditEvent {
  return {
    id: "audit:1:100",
    time: Date.UTC(2026, 2, 2, 8, 4, 57, 123),
    service: "sshd",
    action: "UserLogin",
    actor: { type: "user", name: "alice", id: "1000" },
    outcome: { success: true },
    readOnly: false,
    category: "Management",
    ...parts,
  };
}
