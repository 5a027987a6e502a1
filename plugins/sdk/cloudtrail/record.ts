// CloudTrailRecord: exactly AWS's field names. Unknown fields are allowed and survive.

import type { Json, JsonObject } from "../json.ts";

/** A list of records; neither it nor its records are ever changed in place. */
export type Batch = readonly CloudTrailRecord[];

/** One CloudTrail record of any eventVersion (reference: CloudTrail record contents). */
export interface CloudTrailRecord {
  readonly eventVersion?: string;
  readonly userIdentity?: UserIdentity;
  /** `YYYY-MM-DDTHH:MM:SSZ` */
  readonly eventTime?: string;
  readonly eventSource?: string;
  readonly eventName?: string;
  readonly awsRegion?: string;
  readonly sourceIPAddress?: string;
  readonly userAgent?: string;
  readonly errorCode?: string;
  readonly errorMessage?: string;
  readonly requestParameters?: JsonObject | null;
  readonly responseElements?: JsonObject | null;
  readonly additionalEventData?: JsonObject;
  readonly requestID?: string;
  readonly eventID?: string;
  readonly readOnly?: boolean;
  readonly resources?: readonly RecordResource[];
  readonly eventType?: string;
  readonly managementEvent?: boolean;
  readonly recipientAccountId?: string;
  readonly sharedEventID?: string;
  readonly vpcEndpointId?: string;
  readonly eventCategory?: string;
  readonly sessionCredentialFromConsole?: string;
  readonly tlsDetails?: JsonObject;
  readonly [field: string]: Json | UserIdentity | readonly RecordResource[] | undefined;
}

/** A member of `resources`. */
export interface RecordResource {
  readonly ARN?: string;
  readonly ARNPrefix?: string;
  readonly accountId?: string;
  readonly type?: string;
  readonly [field: string]: Json | undefined;
}

/** Who made the call. */
export interface UserIdentity {
  readonly type?: string;
  readonly principalId?: string;
  readonly arn?: string;
  readonly accountId?: string;
  readonly userName?: string;
  readonly invokedBy?: string;
  readonly identityProvider?: string;
  readonly sessionContext?: JsonObject;
  readonly [field: string]: Json | undefined;
}
