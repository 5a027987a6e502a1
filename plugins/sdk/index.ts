// The plugin contract: all that a plugin may import. It knows nothing of the host.

export * from "./accounts.ts";
export * from "./agent-status.ts";
export * from "./cloudtrail/record.ts";
export * from "./component.ts";
export * from "./errors.ts";
export * from "./event.ts";
export * from "./export-batch.ts";
export * from "./factory.ts";
export * from "./finding.ts";
export * from "./format.ts";
export * from "./intake.ts";
export * from "./json.ts";
export * from "./option.ts";
export * from "./self-audit.ts";
export * from "./service.ts";
export * from "./verify.ts";
