// Receiver `auditd`: follows the Linux audit log across rotation and restarts, or reads the socket
// of auditd's plugin af_unix. What the lines mean is the business of format `audit`.

import {
  type ComponentContext,
  defineReceiver,
  type Format,
  type Intake,
  type Receiver,
} from "../../sdk/index.ts";
import { checkReadable } from "../../sdk/check-path.ts";
import { Follower } from "../../sdk/follow.ts";
import { localAccounts } from "./accounts.ts";
import { type AuditdConfig, config } from "./config.ts";
import { WithLostCount } from "./lost.ts";
import { SocketReceiver } from "./socket.ts";

function auditFormat(options: AuditdConfig, context: ComponentContext): Format {
  const { report_gaps } = options;
  return context.format("audit", { report_gaps }, { accounts: localAccounts(context.clock) });
}

function reader(options: AuditdConfig, context: ComponentContext, intake: Intake): Receiver {
  const format = () => auditFormat(options, context);
  if (options.socket !== undefined) return new SocketReceiver(options, context, intake, format);
  return new Follower(
    {
      paths: [options.path],
      exclude: [],
      startAt: options.start_at ?? (context.once ? "beginning" : "end"),
      siblings: true,
      lineBytesMax: options.max_line_bytes,
      format,
    },
    context,
    intake,
  );
}

export default defineReceiver({
  type: "auditd",
  stability: "beta",
  summary: "Follows the Linux audit log that auditd writes, or reads its socket",
  config,
  formats: ({ report_gaps }) => [{ name: "audit", config: { report_gaps } }],
  check: ({ path, socket }) =>
    socket === undefined ? checkReadable(path, "path") : checkReadable(socket, "socket"),
  create: (options, context, intake) => {
    const receiver = reader(options, context, intake);
    return options.lost_count ? new WithLostCount(receiver, context, intake) : receiver;
  },
});
