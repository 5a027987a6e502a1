// A log group of CloudWatch Logs over the wire: requests to its streams, which are made when they
// are missing, and the group itself where that is allowed.

import { failureOf } from "../../sdk/aws/aws-error.ts";
import { callJson } from "../../sdk/aws/json-call.ts";
import { AwsClient, type AwsConnection } from "../../sdk/aws/request.ts";
import { awsEndpoint } from "../../sdk/aws/s3.ts";
import { type JsonObject, RetryableError } from "../../sdk/index.ts";
import type { CloudWatchLogsConfig } from "./config.ts";

const MISSING = "ResourceNotFoundException";

/** What a group needs of the options. */
export type LogGroupOptions = Pick<
  CloudWatchLogsConfig,
  "log_group_name" | "create_log_group" | "endpoint"
>;

/** One log group. */
export class LogGroup {
  readonly #client: AwsClient;
  readonly #origin: string;
  readonly #options: LogGroupOptions;

  constructor(options: LogGroupOptions, connection: AwsConnection) {
    this.#options = options;
    this.#client = new AwsClient("logs", connection);
    this.#origin = new URL(options.endpoint ?? awsEndpoint("logs", connection.region)).origin;
  }

  /** Puts log events, written as PutLogEvents has them; makes the stream where it is missing. */
  async put(stream: string, request: string, signal: AbortSignal): Promise<JsonObject> {
    const action = this.action(stream);
    try {
      return await this.#call("PutLogEvents", action, request, signal);
    } catch (error) {
      // An answer that was lost, and then the request came again: of old, with sequence tokens.
      if (codeOf(error) === "DataAlreadyAcceptedException") return {};
      if (codeOf(error) !== MISSING) throw error;
    }
    await this.#makeStream(stream, signal);
    return await this.#call("PutLogEvents", action, request, signal);
  }

  /** Whether the group is there; needs logs:DescribeLogGroups. */
  async exists(signal: AbortSignal): Promise<boolean> {
    const { log_group_name: name } = this.#options;
    const action = `Cannot look for log group "${name}"`;
    const { logGroups } = await this.#call("DescribeLogGroups", action, {
      logGroupNamePrefix: name,
    }, signal);
    // Its name is the first of all that begin with it.
    const [first] = Array.isArray(logGroups) ? logGroups as JsonObject[] : [];
    return first?.logGroupName === name;
  }

  /** What is tried, for errors. */
  action(stream: string): string {
    return `Cannot write to log stream "${stream}" of group "${this.#options.log_group_name}"`;
  }

  /** Closes connections. Safe to call twice. */
  async close(): Promise<void> {
    await this.#client.close();
  }

  async #makeStream(stream: string, signal: AbortSignal): Promise<void> {
    const { log_group_name: logGroupName, create_log_group: isAllowed } = this.#options;
    const action = `Cannot create log stream "${stream}" of group "${logGroupName}"`;
    const input = { logGroupName, logStreamName: stream };
    const make = () => this.#make("CreateLogStream", action, input, signal);
    try {
      return await make();
    } catch (error) {
      if (codeOf(error) !== MISSING) throw error;
      if (!isAllowed) {
        const fix = "create it, or write create_log_group: true";
        const message = `${action}: there is no such log group; ${fix}`;
        throw new RetryableError(message, { code: MISSING, cause: error });
      }
    }
    const group = `Cannot create log group "${logGroupName}"`;
    await this.#make("CreateLogGroup", group, { logGroupName }, signal);
    await make();
  }

  async #make(
    operation: string,
    action: string,
    input: JsonObject,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      await this.#call(operation, action, input, signal);
    } catch (error) {
      // Another agent was quicker, or the answer to the first try was lost.
      if (codeOf(error) !== "ResourceAlreadyExistsException") throw error;
    }
  }

  #call(
    operation: string,
    action: string,
    input: JsonObject | string,
    signal: AbortSignal,
  ): Promise<JsonObject> {
    const target = `Logs_20140328.${operation}`;
    return callJson(this.#client, {
      action,
      version: "1.1",
      target,
      origin: this.#origin,
      input,
      signal,
    });
  }
}

function codeOf(error: unknown): string | undefined {
  return failureOf(error)?.code;
}
