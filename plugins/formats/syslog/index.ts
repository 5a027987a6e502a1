// Format syslog: messages of RFC 3164 and RFC 5424 and the lines of auth.log, secure and messages.
// The header is taken off here; what a program's text means, the SDK's program parsers know.

import { defineFormat, NOTHING } from "../../sdk/index.ts";
import { zoneOffset } from "../../sdk/mapping-time-zone.ts";
import { describeProgram } from "../../sdk/programs/index.ts";
import { parseSyslogMessage } from "../../sdk/syslog-message.ts";
import { config } from "./config.ts";
import { foreignHosts } from "./foreign-host.ts";

const SPACE = 32;
const TAB = 9;

export default defineFormat({
  type: "syslog",
  stability: "beta",
  summary: "Syslog messages and log files: logins, sudo, accounts, services and the like",
  config,
  create({ timezone: name }, { agent, ignored }) {
    const timezone = zoneOffset(name === "local" ? localZone() : name);
    const hostOf = foreignHosts(agent.host);
    const ignore = (reason: string) => ignored(reason);
    return {
      decode(frame, at) {
        if (isBlank(frame)) return leave(ignored, "blank line");
        if (frame[0] === SPACE || frame[0] === TAB) return leave(ignored, "continued line");
        const { receivedAt, peer } = at;
        const message = parseSyslogMessage(frame, { receivedAt, timezone });
        const { time, program, pid, text, fields } = message;
        const id = `${at.source}:${at.offset}`;
        const host = hostOf(message.host, peer);
        const event = describeProgram({ id, time, program, pid, text, host, fields }, ignore);
        return event === undefined ? NOTHING : { events: [event] };
      },
      flush: () => NOTHING,
      oldestPending: () => undefined,
    };
  },
});

/** Where the host of a file or of an old sender writes its times. */
function localZone(): string {
  const { timeZone } = new Intl.DateTimeFormat().resolvedOptions();
  return zoneOffset(timeZone) === undefined ? "UTC" : timeZone;
}

function isBlank(frame: Uint8Array): boolean {
  // White space and line ends: whatever is not above the space.
  for (const byte of frame) if (byte > SPACE || byte === 0) return false;
  return true;
}

function leave(ignored: (reason: string) => void, reason: string) {
  ignored(reason);
  return NOTHING;
}
