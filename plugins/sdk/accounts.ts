// Names of local accounts, for formats whose source has only their numbers. A format does no I/O:
// the receiver that reads this machine's own log hands it the names.

/** The accounts of the machine the agent runs on. Answers from memory, or by one short read. */
export interface AccountNames {
  /** The name of the account with this uid; undefined where there is none. */
  user(uid: string): string | undefined;
  /** The name of the group with this gid; undefined where there is none. */
  group(gid: string): string | undefined;
}
