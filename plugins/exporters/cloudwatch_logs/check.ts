// Looks for the log group, for `cairn validate --deep`.

import { failureOf } from "../../sdk/aws/aws-error.ts";
import { awsConnection } from "../../sdk/aws/option.ts";
import type { CheckContext, Finding } from "../../sdk/index.ts";
import type { CloudWatchLogsConfig } from "./config.ts";
import { LogGroup } from "./log-group.ts";

/** Needs logs:DescribeLogGroups; makes nothing. */
export async function check(
  config: CloudWatchLogsConfig,
  context: CheckContext,
): Promise<readonly Finding[]> {
  const { log_group_name: name, create_log_group: isAllowed } = config;
  const path = "log_group_name";
  const group = new LogGroup(config, { ...awsConnection(config, context), retriesMax: 0 });
  try {
    if (await group.exists(context.signal)) {
      return [{ level: "ok", path, message: `Log group "${name}" is there` }];
    }
    if (isAllowed) return [{ level: "ok", path, message: `Log group "${name}" will be created` }];
    const message = `Log group "${name}" is not there`;
    return [{ level: "problem", path, message, fix: "create it, or write create_log_group: true" }];
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const fix = "check region, endpoint and credentials";
    // Who may write need not be allowed to list.
    const level = failureOf(error)?.code === "AccessDeniedException" ? "warning" : "problem";
    return [{ level, path, message, fix }];
  } finally {
    await group.close();
  }
}
