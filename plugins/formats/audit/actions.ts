// What each record type means: the one table from audit record types to CloudTrail's words. A type
// that is not in it still becomes an event, named after itself (`NET_FILTER` -> `NetFilter`).

import type { EventCategory } from "../../sdk/event.ts";

/** What kind of thing a record's `acct`, `id`, `unit` … name. */
export type Subject = "user" | "group" | "unit" | "file" | "none";

/** How one record type is described. */
export interface ActionRule {
  readonly action: string;
  readonly subject: Subject;
  readonly readOnly: boolean;
  readonly category: EventCategory;
  /** The service where the record names no program, or names one that only carries it. */
  readonly service: string | undefined;
  /** Word for a failure that comes without an error number. */
  readonly failure: string;
  /** Which record of a group names the action: the one with the lowest rank. */
  readonly rank: number;
}

// Type, action, then flags: u g n f = what is acted on (user, group, unit, file); r = read-only; d
// = Data; s:NAME = service; x:CODE = failure. In order of rank: what stands first names the event.
const GROUPED = `
LOGIN SetLoginUser u
CONFIG_CHANGE UpdateAuditConfiguration s:auditd
FEATURE_CHANGE UpdateAuditConfiguration s:auditd
KERN_MODULE LoadKernelModule s:kernel
BPF LoadBpfProgram s:kernel
NETFILTER_CFG UpdateFirewallConfiguration s:kernel
TIME_INJOFFSET ChangeSystemTime s:kernel
TIME_ADJNTPVAL ChangeSystemTime s:kernel
MAC_POLICY_LOAD LoadSecurityPolicy s:kernel
MAC_STATUS UpdateSecurityEnforcement s:kernel
MAC_CONFIG_CHANGE UpdateSecurityConfiguration s:kernel
MAC_UNLBL_ALLOW UpdateNetworkLabels s:kernel
MAC_UNLBL_STCADD UpdateNetworkLabels s:kernel
MAC_UNLBL_STCDEL UpdateNetworkLabels s:kernel
MAC_CIPSOV4_ADD UpdateNetworkLabels s:kernel
MAC_CIPSOV4_DEL UpdateNetworkLabels s:kernel
MAC_CALIPSO_ADD UpdateNetworkLabels s:kernel
MAC_CALIPSO_DEL UpdateNetworkLabels s:kernel
MAC_MAP_ADD UpdateNetworkLabels s:kernel
MAC_MAP_DEL UpdateNetworkLabels s:kernel
MAC_IPSEC_ADDSA UpdateIpsecSecurityAssociation s:kernel
MAC_IPSEC_DELSA UpdateIpsecSecurityAssociation s:kernel
MAC_IPSEC_ADDSPD UpdateIpsecSecurityAssociation s:kernel
MAC_IPSEC_DELSPD UpdateIpsecSecurityAssociation s:kernel
MAC_IPSEC_EVENT UpdateIpsecSecurityAssociation s:kernel
ANOM_PROMISCUOUS ChangePromiscuousMode s:kernel
ANOM_ABEND TerminateProgram s:kernel x:ProgramCrashed
ANOM_LINK FollowLink s:kernel d
ANOM_CREAT CreateFile s:kernel d
SECCOMP EnforceSystemCallFilter s:kernel
AVC CheckAccess s:kernel d x:AccessDenied
SELINUX_ERR ReportSecurityError s:kernel
IPE_ACCESS CheckAccess s:kernel d x:AccessDenied
APPARMOR_DENIED CheckAccess s:kernel d x:AccessDenied
APPARMOR_ALLOWED CheckAccess s:kernel d
APPARMOR_AUDIT CheckAccess s:kernel d
APPARMOR_KILL CheckAccess s:kernel d x:AccessDenied
APPARMOR_STATUS LoadSecurityPolicy s:kernel
APPARMOR_ERROR ReportSecurityError s:kernel
IPE_CONFIG_CHANGE UpdateSecurityEnforcement s:kernel
IPE_POLICY_LOAD LoadSecurityPolicy s:kernel
LANDLOCK_DOMAIN UpdateSandbox s:kernel d
LANDLOCK_ACCESS CheckAccess s:kernel d x:AccessDenied
FANOTIFY CheckAccess s:kernel d
INTEGRITY_DATA VerifyIntegrity s:kernel rd x:IntegrityViolation
INTEGRITY_METADATA VerifyIntegrity s:kernel rd x:IntegrityViolation
INTEGRITY_STATUS UpdateIntegrityConfiguration s:kernel
INTEGRITY_HASH VerifyIntegrity s:kernel rd x:IntegrityViolation
INTEGRITY_PCR VerifyIntegrity s:kernel rd x:IntegrityViolation
INTEGRITY_EVM_XATTR VerifyIntegrity s:kernel rd x:IntegrityViolation
INTEGRITY_RULE VerifyIntegrity s:kernel rd x:IntegrityViolation
INTEGRITY_POLICY_RULE UpdateIntegrityConfiguration s:kernel
EVENT_LISTENER ListenToAudit s:kernel
TTY TypeInput s:kernel d
REPLACE ReplaceAuditDaemon s:auditd
SYSCALL CallSystem s:kernel d
EXECVE ExecuteCommand s:kernel d
BPRM_FCAPS ExecuteCommand s:kernel d
CAPSET ChangeCapabilities s:kernel
SOCKADDR UseSocket s:kernel d
SOCKETCALL UseSocket s:kernel d
MMAP MapMemory s:kernel d
PATH AccessFile s:kernel fd
CWD AccessFile s:kernel d
PROCTITLE CallSystem s:kernel d
OBJ_PID SendSignal s:kernel d
URINGOP CallSystem s:kernel d
OPENAT2 OpenFile s:kernel d
FD_PAIR OpenPipe s:kernel d
IPC ControlIpc s:kernel d
IPC_SET_PERM ControlIpc s:kernel d
MQ_OPEN OpenMessageQueue s:kernel d
MQ_SENDRECV UseMessageQueue s:kernel d
MQ_NOTIFY UseMessageQueue s:kernel d
MQ_GETSETATTR UseMessageQueue s:kernel d
AVC_PATH CheckAccess s:kernel d
NETFILTER_PKT FilterPacket s:kernel d
KERNEL_OTHER WriteKernelMessage s:kernel
MAC_TASK_CONTEXTS CheckAccess s:kernel d
MAC_OBJ_CONTEXTS CheckAccess s:kernel d
`;

// Records that come alone: user space's own (1100-1199 and 2100-2999), the daemon's (1200-1299) and
// the kernel's first ones. Handed out at once.
const ALONE = `
USER WriteAuditMessage
USER_AVC CheckAccess d x:AccessDenied
USER_AUTH AuthenticateUser u x:AuthenticationFailed
USER_ACCT AuthorizeUser u x:AccessDenied
DAC_CHECK CheckAccess d x:AccessDenied
MAC_CHECK CheckAccess d x:AccessDenied
USER_MGMT UpdateUser u
CRED_ACQ AcquireCredentials u
CRED_DISP ReleaseCredentials u
CRED_REFR RefreshCredentials u
USER_START StartSession u
USER_END EndSession u
USER_CHAUTHTOK ChangePassword u
USER_ERR ReportUserError u x:AuthenticationFailed
USER_LOGIN UserLogin u x:AuthenticationFailed
USER_LOGOUT UserLogout u
ADD_USER CreateUser u
DEL_USER DeleteUser u
ADD_GROUP CreateGroup g
DEL_GROUP DeleteGroup g
GRP_MGMT UpdateGroup g
GRP_AUTH AuthenticateGroup g x:AuthenticationFailed
GRP_CHAUTHTOK ChangeGroupPassword g
CHGRP_ID ChangeGroupId g x:AccessDenied
CHUSER_ID ChangeUserId u x:AccessDenied
ACCT_LOCK LockUser u
ACCT_UNLOCK UnlockUser u
USER_CMD AssumeRole x:AccessDenied
USER_TTY TypeInput s:kernel d
USER_ROLE_CHANGE ChangeSecurityContext u
ROLE_ASSIGN AssignRole u
ROLE_REMOVE RemoveRole u
ROLE_MODIFY UpdateRole
LABEL_OVERRIDE OverrideSecurityLabel
LABEL_LEVEL_CHANGE ChangeSecurityLevel
USER_LABELED_EXPORT ExportLabeledData d
USER_UNLABELED_EXPORT ExportUnlabeledData d
USER_MAC_POLICY_LOAD LoadSecurityPolicy
USER_MAC_CONFIG_CHANGE UpdateSecurityConfiguration
USER_MAC_STATUS UpdateSecurityEnforcement
USER_SELINUX_ERR ReportSecurityError
USER_DEVICE UpdateDevice
SOFTWARE_UPDATE UpdateSoftware
DEV_ALLOC AllocateDevice
DEV_DEALLOC DeallocateDevice
FS_RELABEL RelabelFileSystem
USYS_CONFIG UpdateSystemConfiguration
SERVICE_START StartService n
SERVICE_STOP StopService n
SYSTEM_BOOT BootSystem
SYSTEM_SHUTDOWN ShutDownSystem
SYSTEM_RUNLEVEL ChangeRunLevel
TEST TestAudit
TRUSTED_APP WriteAuditMessage
KERNEL WriteKernelMessage s:kernel
DAEMON_START StartAuditDaemon s:auditd
DAEMON_END StopAuditDaemon s:auditd
DAEMON_ABORT AbortAuditDaemon s:auditd
DAEMON_CONFIG UpdateAuditDaemonConfiguration s:auditd
DAEMON_RECONFIG UpdateAuditDaemonConfiguration s:auditd
DAEMON_ROTATE RotateAuditLog s:auditd
DAEMON_RESUME ResumeAuditDaemon s:auditd
DAEMON_ACCEPT AcceptAuditConnection s:auditd
DAEMON_CLOSE CloseAuditConnection s:auditd
DAEMON_ERR ReportAuditDaemonError s:auditd
CRYPTO_KEY_USER ManageCryptoKey
CRYPTO_SESSION StartCryptoSession
CRYPTO_LOGIN LoginCryptoOfficer
CRYPTO_LOGOUT LogoutCryptoOfficer
CRYPTO_TEST_USER TestCryptoModule r
CRYPTO_PARAM_CHANGE_USER UpdateCryptoParameters
CRYPTO_FAILURE_USER ReportCryptoFailure
CRYPTO_REPLAY_USER DetectCryptoReplay
CRYPTO_IKE_SA UpdateIkeSecurityAssociation
CRYPTO_IPSEC_SA UpdateIpsecSecurityAssociation
VIRT_CONTROL ControlVirtualMachine
VIRT_RESOURCE AssignVirtualMachineResource
VIRT_MACHINE_ID AssignVirtualMachineLabel
VIRT_CREATE CreateVirtualMachine
VIRT_DESTROY DeleteVirtualMachine
VIRT_INTEGRITY_CHECK VerifyVirtualMachine r
VIRT_MIGRATE_IN ImportVirtualMachine
VIRT_MIGRATE_OUT ExportVirtualMachine
ANOM_LOGIN_FAILURES DetectLoginFailures u
ANOM_LOGIN_TIME DetectLoginTime u
ANOM_LOGIN_SESSIONS DetectLoginSessions u
ANOM_LOGIN_ACCT DetectLoginAccount u
ANOM_LOGIN_LOCATION DetectLoginLocation u
ANOM_LOGIN_SERVICE DetectLoginService u
ANOM_LOGIN_ROOT DetectRootLogin u
ANOM_ORIGIN_FAILURES DetectOriginFailures
ANOM_SESSION DetectSessionAnomaly
ANOM_MAX_DAC DetectAccessFailures
ANOM_MAX_MAC DetectAccessFailures
ANOM_AMTU_FAIL DetectSelfTestFailure
ANOM_RBAC_FAIL DetectRoleTestFailure
ANOM_RBAC_INTEGRITY_FAIL DetectRoleIntegrityFailure
ANOM_CRYPTO_FAIL DetectCryptoFailure
ANOM_ACCESS_FS DetectFileAccess
ANOM_EXEC DetectExecution
ANOM_MK_EXEC DetectExecutableCreation
ANOM_ADD_ACCT DetectUserCreation u
ANOM_DEL_ACCT DetectUserDeletion u
ANOM_MOD_ACCT DetectUserChange u
ANOM_ROOT_TRANS DetectRootTransition
RESP_ANOMALY RespondToAnomaly
RESP_ALERT SendAlert
RESP_KILL_PROC KillProcess
RESP_TERM_ACCESS TerminateSession
RESP_ACCT_REMOTE LockRemoteAccess u
RESP_ACCT_LOCK_TIMED LockUser u
RESP_ACCT_UNLOCK_TIMED UnlockUser u
RESP_ACCT_LOCK LockUser u
RESP_TERM_LOCK LockTerminal
RESP_SEBOOL UpdateSecurityConfiguration
RESP_EXEC ExecuteResponse
RESP_SINGLE ChangeRunLevel
RESP_HALT ShutDownSystem
RESP_ORIGIN_BLOCK BlockOrigin
RESP_ORIGIN_BLOCK_TIMED BlockOrigin
RESP_ORIGIN_UNBLOCK_TIMED UnblockOrigin
`;

const RULES: ReadonlyMap<string, ActionRule> = new Map([...rows(GROUPED), ...rows(ALONE)]);
// A type unknown here says more than the call it came with.
const UNKNOWN_RANK = RULES.get("SYSCALL")!.rank - 0.5;
const SINGLES: ReadonlySet<string> = new Set(rows(ALONE).map(([type]) => type));

/** The rule for a record type; one made of its name where it is not in the table. */
export function ruleOf(type: string): ActionRule {
  return RULES.get(type) ?? {
    action: pascalCase(type),
    subject: "none",
    readOnly: false,
    category: "Management",
    service: standsAlone(type) ? undefined : "kernel",
    failure: "OperationFailed",
    rank: UNKNOWN_RANK,
  };
}

/** True where a record of this type is a whole event, which nothing follows. */
export function standsAlone(type: string): boolean {
  if (SINGLES.has(type)) return true;
  // A type too new for the daemon that wrote it: libaudit's ranges decide.
  const number = /^UNKNOWN\[(\d+)\]$/.exec(type);
  if (number === null) return false;
  const value = Number(number[1]);
  return (value >= 1100 && value < 1300) || value >= 2000;
}

/** `NETFILTER_CFG` -> `NetfilterCfg`, `sched_setaffinity` -> `SchedSetaffinity`. */
export function pascalCase(name: string): string {
  let text = "";
  for (const word of name.split(/[^A-Za-z0-9]+/)) {
    text += word.charAt(0).toUpperCase() + word.slice(1).toLowerCase();
  }
  return text;
}

function rows(table: string): [string, ActionRule][] {
  return table.trim().split("\n").map((line, rank) => {
    const [type = "", action = "", ...words] = line.split(" ");
    const flags = words.filter((word) => !word.includes(":")).join("");
    const named = (name: string) => words.find((word) => word.startsWith(name))?.slice(2);
    return [type, {
      action,
      subject: subjectOf(flags),
      readOnly: flags.includes("r"),
      category: flags.includes("d") ? "Data" : "Management",
      service: named("s:"),
      failure: named("x:") ?? "OperationFailed",
      rank,
    }];
  });
}

function subjectOf(flags: string): Subject {
  if (flags.includes("u")) return "user";
  if (flags.includes("g")) return "group";
  if (flags.includes("n")) return "unit";
  return flags.includes("f") ? "file" : "none";
}
