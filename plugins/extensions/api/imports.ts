// The operations on imports of trail files: AWS's shapes on one side, QueryService on the other.

import { AwsFault } from "../../sdk/aws/fault.ts";
import type { JsonObject } from "../../sdk/json.ts";
import type { ImportDescription, QueryService } from "../../sdk/query-service.ts";
import { type Call, pageOf, seconds, textOf, timeOf } from "./call.ts";
import { findStore, lakesOf } from "./stores.ts";

async function findImport(call: Call, id: string) {
  for (const lake of lakesOf(call)) {
    const found = await lake.describeImport(id).catch((error: unknown) => {
      const isUnknown = error instanceof AwsFault && error.code === "ImportNotFoundException";
      if (!isUnknown) throw error;
    });
    if (found !== undefined) return { lake, found };
  }
  throw new AwsFault("ImportNotFoundException", `Import ${id} does not exist`);
}

/** StartImport: a new one, or by ImportId alone one that failed. */
export async function startImport(call: Call): Promise<JsonObject> {
  const id = textOf(call, "ImportId");
  const { Destinations, ImportSource } = call.input;
  if (id !== undefined) {
    if (Destinations != null || ImportSource != null) {
      const message = "An import is taken up again with its ImportId alone";
      throw new AwsFault("InvalidParameterException", message);
    }
    const { lake } = await findImport(call, id);
    return describe(await lake.startImport({ id, caller: call.caller }));
  }
  if (Destinations == null || ImportSource == null) {
    const message = "A new import has Destinations and ImportSource";
    throw new AwsFault("InvalidParameterException", message);
  }
  const [destination = ""] = Destinations as readonly string[];
  const { lake, store } = findStore(call, destination);
  return describe(await lake.startImport(newImport(call, store.arn)));
}

function newImport(call: Call, destination: string): Parameters<QueryService["startImport"]>[0] {
  const { S3 } = call.input.ImportSource as { readonly S3: Readonly<Record<string, string>> };
  const [from, to] = [timeOf(call, "StartEventTime"), timeOf(call, "EndEventTime")];
  if (from !== undefined && to !== undefined && from > to) {
    throw new AwsFault("InvalidParameterException", "StartEventTime is later than EndEventTime");
  }
  return {
    destination,
    s3: {
      uri: S3.S3LocationUri!,
      region: S3.S3BucketRegion!,
      roleArn: S3.S3BucketAccessRoleArn!,
    },
    from,
    to,
    caller: call.caller,
  };
}

/** StopImport. */
export async function stopImport(call: Call): Promise<JsonObject> {
  const { lake, found } = await findImport(call, textOf(call, "ImportId")!);
  return describe(await lake.stopImport(found.id));
}

/** GetImport. */
export async function getImport(call: Call): Promise<JsonObject> {
  return describe((await findImport(call, textOf(call, "ImportId")!)).found);
}

/** ListImports: by destination and status. */
export async function listImports(call: Call): Promise<JsonObject> {
  const destination = textOf(call, "Destination");
  const status = textOf(call, "ImportStatus");
  const all = (await Promise.all(lakesOf(call).map((lake) => lake.imports()))).flat();
  const imports = all.filter((found) =>
    (status === undefined || found.status === status) &&
    (destination === undefined ||
      found.destinations.some((arn) => arn === destination || arn.endsWith(`/${destination}`)))
  );
  const items = imports.map((found) => ({
    ImportId: found.id,
    ImportStatus: found.status,
    Destinations: found.destinations,
    CreatedTimestamp: seconds(found.createdAt),
    UpdatedTimestamp: seconds(found.updatedAt),
  }));
  return pageOf(call, "Imports", items);
}

/** ListImportFailures. */
export async function listImportFailures(call: Call): Promise<JsonObject> {
  const { lake, found } = await findImport(call, textOf(call, "ImportId")!);
  const failures = (await lake.importFailures(found.id)).map((failure) => ({
    Location: failure.location,
    Status: failure.status,
    ErrorType: failure.errorType,
    ErrorMessage: failure.errorMessage,
    LastUpdatedTime: seconds(failure.updatedAt),
  }));
  return pageOf(call, "Failures", failures);
}

function describe(found: ImportDescription): JsonObject {
  return {
    ImportId: found.id,
    Destinations: found.destinations,
    ImportSource: {
      S3: {
        S3LocationUri: found.s3.uri,
        S3BucketRegion: found.s3.region,
        S3BucketAccessRoleArn: found.s3.roleArn,
      },
    },
    StartEventTime: seconds(found.from),
    EndEventTime: seconds(found.to),
    ImportStatus: found.status,
    CreatedTimestamp: seconds(found.createdAt),
    UpdatedTimestamp: seconds(found.updatedAt),
    ImportStatistics: {
      PrefixesFound: found.prefixesFound,
      PrefixesCompleted: found.prefixesCompleted,
      FilesCompleted: found.filesCompleted,
      EventsCompleted: found.eventsCompleted,
      FailedEntries: found.failedEntries,
    },
  };
}
