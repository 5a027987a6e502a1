// The smallest event: what formats made for tests answer with.

import type { AuditEvent } from "../event.ts";

/** An event whose id is the text. */
export function aboutLine(id: string): AuditEvent {
  return {
    id,
    time: Date.UTC(2026, 0, 1),
    service: "test",
    action: "ReadLine",
    actor: { type: "user", name: "alice" },
    outcome: { success: true },
    readOnly: true,
    category: "Management",
  };
}
