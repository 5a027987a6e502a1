// What a channel takes and tells: provided by receiver `channel`, one for each channel; used by the
// API, the control socket and the console.

import type { AwsCaller } from "./aws/fault.ts";
import { type ServiceKind, serviceKind } from "./service.ts";

/** What a channel is. It does not change while the agent runs. */
export interface ChannelDescription {
  /** Of the component in the configuration. */
  readonly id: string;
  readonly name: string;
  /** `arn:<partition>:cloudtrail:<region>:<account>:channel/<uuid>` */
  readonly arn: string;
  /** `Custom`, or a partner's name. */
  readonly source: string;
  /** Event data stores, by ARN or id, as the configuration has them. */
  readonly destinations: readonly string[];
  /** JSON text of the resource policy. */
  readonly resourcePolicy?: string;
}

/** When events last came in, in milliseconds since the epoch. */
export interface ChannelStatus {
  readonly latestSuccess?: { readonly time: number; readonly eventId: string };
  readonly latestAttempt?: { readonly time: number; readonly eventId?: string };
  /** Set while the latest attempt failed: AWS's name of the error. */
  readonly latestErrorCode?: string;
}

/** One event of a PutAuditEvents call, as it came. */
export interface AuditEventEntry {
  readonly id: string;
  /** JSON text. */
  readonly eventData: string;
  /** Base64 of the SHA-256 of `eventData`. */
  readonly eventDataChecksum?: string | undefined;
}

/** A PutAuditEvents call. */
export interface PutAuditEvents {
  readonly auditEvents: readonly AuditEventEntry[];
  readonly externalId?: string | undefined;
  /** Gives up waiting for room in the queue. */
  readonly signal?: AbortSignal | undefined;
}

/** What became of a call's events. */
export interface PutAuditEventsResult {
  readonly successful: readonly { readonly id: string; readonly eventID: string }[];
  readonly failed: readonly {
    readonly id: string;
    readonly errorCode: string;
    readonly errorMessage: string;
  }[];
}

/** A channel of the agent. */
export interface ChannelService {
  describe(): ChannelDescription;
  status(): ChannelStatus;
  /**
   * Resolves when all that is successful is durable. Throws AwsFault for a call that is refused
   * whole; rejects otherwise where nothing was taken, and the caller is to come again.
   */
  put(call: PutAuditEvents, caller: AwsCaller): Promise<PutAuditEventsResult>;
}

/** What an extension asks its host for. */
export const channelService: ServiceKind<ChannelService> = serviceKind<ChannelService>("channel");
