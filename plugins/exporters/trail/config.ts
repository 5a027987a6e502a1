// The options of exporter `trail`.

import { z } from "zod";

/** A trail's name as CloudTrail allows it. */
const name = z.string().min(3).max(128)
  .regex(
    /^[A-Za-z0-9]+([._-][A-Za-z0-9]+)*$/,
    "Expected letters and digits, with single . _ - between them",
  )
  .refine((text) => !/^\d{1,3}(\.\d{1,3}){3}$/.test(text), "Expected a name, not an IP address");

const prefix = z.string().max(200)
  .regex(
    /^([A-Za-z0-9!_.*'()-]+(\/[A-Za-z0-9!_.*'()-]+)*)?$/,
    "Expected names joined by /, without one at either end",
  )
  .refine(
    (text) => !text.split("/").some((part) => /^\.+$/.test(part)),
    "Expected no part of dots alone",
  );

/** Checks and completes what the operator wrote. */
export const config = z.strictObject({
  name: name.default("main").describe("The trail's name, 3 to 128 characters"),
  directory: z.string().min(1).describe("Folder that the log files are written under"),
  prefix: prefix.default("").describe("What stands before AWSLogs/ in every path"),
  organization: z.boolean().default(false)
    .describe("Whether agent.organization_id becomes a folder above the accounts"),
  compression_level: z.int().min(1).max(9).default(6)
    .describe("gzip level: 1 is fastest, 9 smallest"),
});

/** What the operator wrote, defaults filled in. */
export type TrailConfig = z.output<typeof config>;
