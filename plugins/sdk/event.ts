// AuditEvent: what a source says happened, in the source's own terms and before any CloudTrail
// default. Formats and receivers make them; `src/pipeline/normalize.ts` turns them into records.

import type { JsonObject } from "./json.ts";

/** One action, as its source tells it. */
export interface AuditEvent {
  /**
   * The source's own identity of this action (audit node and serial, journal cursor, file and
   * offset …). The record's eventID derives from it, so the same action must always give the same id
   * and two actions of one source must never share one.
   */
  readonly id: string;
  /** When it happened, in milliseconds since the epoch. */
  readonly time: number;
  /** Program or subsystem, lower case, without a domain: `sshd`, `sudo`, `kernel`. */
  readonly service: string;
  /** PascalCase verb phrase, as AWS would name it: `UserLogin`, `CreateUser`. */
  readonly action: string;
  readonly actor: Actor;
  readonly outcome: Outcome;
  /** The machine it happened on; left out where that is the agent's own host. */
  readonly host?: string;
  readonly origin?: Origin;
  readonly resources?: readonly Resource[];
  /** What was asked for; becomes requestParameters. */
  readonly request?: JsonObject;
  /** What came of it; becomes responseElements. */
  readonly response?: JsonObject;
  /** Facts that are neither; becomes additionalEventData. */
  readonly additional?: JsonObject;
  /** True where the action cannot change anything. */
  readonly readOnly: boolean;
  readonly category: EventCategory;
}

/** The categories a source can choose; the others (Insight …) are made by the agent. */
export type EventCategory = "Management" | "Data" | "NetworkActivity";

/** Who acted. Never holds an invented name: what is not known is left out. */
export type Actor =
  | UserActor
  | RoleActor
  | { readonly type: "root"; readonly session?: Session }
  | { readonly type: "service"; readonly name: string }
  | { readonly type: "account"; readonly accountId: string }
  | { readonly type: "anonymous"; readonly id?: string };

/** A person's or program's account. With neither name nor id it is written as Unknown. */
export interface UserActor {
  readonly type: "user";
  readonly name?: string;
  /** The account's number or key at its source, such as the uid. */
  readonly id?: string;
  readonly session?: Session;
  /** Set when somebody else vouches for the user. */
  readonly federation?: { readonly protocol: "saml" | "oidc"; readonly provider: string };
}

/** One account acting as another: sudo, su, impersonation, setuid. */
export interface RoleActor {
  readonly type: "role";
  /** The assumed account. */
  readonly name: string;
  /** The assumed account's number at its source. */
  readonly id?: string;
  /** The account that acts. */
  readonly assumedBy: Actor;
  readonly session?: Session;
}

/** A login session. */
export interface Session {
  readonly id?: string;
  /** When it began, in milliseconds since the epoch. */
  readonly createdAt?: number;
  readonly mfa?: boolean;
}

/** How it ended. A failure's code is a PascalCase word (`AccessDenied`) or an errno name (`EACCES`). */
export type Outcome =
  | { readonly success: true }
  | { readonly success: false; readonly code: string; readonly message?: string };

/** Where the action came from. */
export interface Origin {
  /** IPv4 or IPv6 address. */
  readonly address?: string;
  readonly port?: number;
  /** Host name, where the source gives one. */
  readonly host?: string;
  readonly userAgent?: string;
  readonly tls?: {
    readonly version?: string;
    readonly cipherSuite?: string;
    readonly serverName?: string;
  };
}

/** A thing that was acted on. */
export interface Resource {
  /** `Service::Kind`, written as `Cairn::Service::Kind`: `Host::File`, `IAM::User`. */
  readonly type: string;
  /** Its name at its source: a path, an account's name; the ARN is made of it. */
  readonly name: string;
  /** Its ARN, where the source has one already. */
  readonly arn?: string;
  readonly accountId?: string;
}
