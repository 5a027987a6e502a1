// What a trail tells of itself, and what it can be asked to do: provided by exporter `trail`, used
// by the API and the console.

import { type ServiceKind, serviceKind } from "./service.ts";

/** What a trail is. It does not change while the agent runs. */
export interface TrailDescription {
  readonly name: string;
  /** `arn:<partition>:cloudtrail:<region>:<account>:trail/<name>` */
  readonly arn: string;
  /** Of the component in the configuration. */
  readonly id: string;
  readonly accountId: string;
  readonly homeRegion: string;
  /** What digests and notifications call the place: the bucket, or the folder's own name. */
  readonly bucket: string;
  /** Set for a trail in a folder: its path. */
  readonly directory?: string;
  /** "" for none. */
  readonly prefix: string;
  /** Set where the organization's id stands in the keys. */
  readonly organizationId?: string;
  readonly snsTopicArn?: string;
  readonly kmsKeyId?: string;
  readonly logFileValidation: boolean;
}

/** When something was last done, in milliseconds since the epoch, and what went wrong last. */
export interface LatestDelivery {
  /** Of the last success. */
  readonly time?: number;
  readonly attemptTime?: number;
  /** Set while the last attempt failed: what it said. */
  readonly error?: string;
}

/** How a trail is doing. */
export interface TrailStatus {
  readonly isLogging: boolean;
  /** In milliseconds since the epoch; unset where it was never stopped and started. */
  readonly startedLoggingAt?: number;
  readonly stoppedLoggingAt?: number;
  readonly delivery: LatestDelivery;
  readonly digestDelivery: LatestDelivery;
  readonly notification: LatestDelivery;
}

/** A key that digests are, were or will be signed with. */
export interface TrailPublicKey {
  /** As digests call it. */
  readonly fingerprint: string;
  /** PKCS#1 DER. */
  readonly value: Uint8Array;
  /** In milliseconds since the epoch. */
  readonly validFrom: number;
  readonly validTo: number;
}

/** A trail of the agent. */
export interface TrailService {
  describe(): TrailDescription;
  status(): TrailStatus;
  /** The keys that are valid at any time between the two, in milliseconds; now by default. */
  publicKeys(from?: number, to?: number): Promise<readonly TrailPublicKey[]>;
  /** Resolves when it is durable; records that come from now on are delivered. */
  startLogging(): Promise<void>;
  /** Resolves when it is durable; records that come from now on are left out, and counted so. */
  stopLogging(): Promise<void>;
}

/** What an extension asks its host for. */
export const trailService: ServiceKind<TrailService> = serviceKind<TrailService>("trail");
