// What each system call means: the table from call names to CloudTrail's words. A call that is not
// in it becomes its own name in PascalCase, and counts as changing something.

import type { EventCategory } from "../../sdk/event.ts";
import { pascalCase } from "./actions.ts";

/** How one system call is described. */
export interface CallRule {
  readonly action: string;
  readonly readOnly: boolean;
  readonly category: EventCategory;
}

// Action, flags (r = read-only, m = Management; else Data), then the calls.
const TABLE = `
ExecuteCommand - execve execveat
OpenFile - open openat openat2 open_by_handle_at
CreateFile - creat
CreateSpecialFile - mknod mknodat
CreateDirectory - mkdir mkdirat
DeleteDirectory - rmdir
DeleteFile - unlink unlinkat
RenameFile - rename renameat renameat2
CreateLink - link linkat
CreateSymbolicLink - symlink symlinkat
TruncateFile - truncate truncate64 ftruncate ftruncate64
ChangeFileMode - chmod fchmod fchmodat fchmodat2
ChangeFileOwner - chown chown32 fchown fchown32 fchownat lchown lchown32
ChangeFileAttributes - setxattr lsetxattr fsetxattr setxattrat removexattr lremovexattr
ChangeFileAttributes - fremovexattr removexattrat
ChangeFileTimes - utime utimes utimensat utimensat_time64 futimesat
AllocateFileSpace - fallocate
WriteFile - write writev pwrite64 pwritev pwritev2 sendfile sendfile64 copy_file_range splice
ReadFile r read readv pread64 preadv preadv2 readahead
GetFileAttributes r stat stat64 lstat lstat64 fstat fstat64 newfstatat fstatat64 statx getxattr
GetFileAttributes r lgetxattr fgetxattr getxattrat listxattr llistxattr flistxattr listxattrat
GetFileAttributes r statfs statfs64 fstatfs fstatfs64
TestFileAccess r access faccessat faccessat2
ListDirectory r getdents getdents64
ReadSymbolicLink r readlink readlinkat
ChangeDirectory r chdir fchdir
ChangeRootDirectory m chroot pivot_root
MountFileSystem m mount move_mount fsmount open_tree mount_setattr
UnmountFileSystem m umount umount2 oldumount
EnableSwap m swapon
DisableSwap m swapoff
LoadKernelModule m init_module finit_module create_module
UnloadKernelModule m delete_module
LoadKernel m kexec_load kexec_file_load
RebootSystem m reboot
ChangeSystemTime m settimeofday clock_settime clock_settime64 stime adjtimex clock_adjtime
ChangeSystemTime m clock_adjtime64
ChangeHostName m sethostname setdomainname
ChangeUserId m setuid setuid32 setreuid setreuid32 setresuid setresuid32 setfsuid setfsuid32
ChangeGroupId m setgid setgid32 setregid setregid32 setresgid setresgid32 setfsgid setfsgid32
ChangeGroupId m setgroups setgroups32
ChangeCapabilities m capset
ChangeResourceLimit m setrlimit prlimit64
ChangeProcessPriority - setpriority sched_setscheduler sched_setparam sched_setattr
TraceProcess - ptrace process_vm_writev process_vm_readv
SendSignal - kill tkill tgkill rt_sigqueueinfo rt_tgsigqueueinfo pidfd_send_signal
CreateProcess - clone clone3 fork vfork
ExitProcess - exit exit_group
ChangeNamespace m setns unshare
LoadBpfProgram m bpf
OpenPerformanceEvent m perf_event_open
ChangeKernelKey m add_key keyctl request_key
SetFileQuota m quotactl quotactl_fd
SetProcessAccounting m acct
OpenConnection - connect
AcceptConnection - accept accept4
BindSocket - bind
ListenOnSocket - listen
OpenSocket - socket socketpair
SendMessage - sendto sendmsg sendmmsg
ReceiveMessage r recvfrom recvmsg recvmmsg recvmmsg_time64
ControlDevice - ioctl
`;

const RULES: ReadonlyMap<string, CallRule> = new Map(
  TABLE.trim().split("\n").flatMap((line) => {
    const [action = "", flag, ...calls] = line.split(" ");
    const rule: CallRule = {
      action,
      readOnly: flag === "r",
      category: flag === "m" ? "Management" : "Data",
    };
    return calls.map((call) => [call, rule] as const);
  }),
);

// open(2): the two lowest bits are the access mode, 0 = O_RDONLY; O_CREAT and O_TRUNC are the same
// on x86 and ARM.
const O_ACCMODE = 0o3;
const O_CREAT = 0o100;
const O_TRUNC = 0o1000;
const OPEN_READ: CallRule = { action: "OpenFile", readOnly: true, category: "Data" };
const OPEN_CREATE: CallRule = { action: "CreateFile", readOnly: false, category: "Data" };

/**
 * The rule for a system call by name. `flags` is the argument of open or openat that holds them, in
 * hex as the record has it; `created` says that a PATH record shows a new file.
 */
export function callRule(name: string, flags: string | undefined, created: boolean): CallRule {
  const rule = RULES.get(name) ?? ownName(name);
  if (rule.action !== "OpenFile") return rule;
  if (created) return OPEN_CREATE;
  const bits = flags === undefined ? Number.NaN : Number.parseInt(flags.slice(-8), 16);
  const reads = !Number.isNaN(bits) && (bits & (O_ACCMODE | O_CREAT | O_TRUNC)) === 0;
  return reads ? OPEN_READ : rule;
}

function ownName(name: string): CallRule {
  return { action: pascalCase(name), readOnly: false, category: "Data" };
}
