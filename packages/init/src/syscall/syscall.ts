import type { CredentialCalls } from './calls/credentials.ts';
import type { DescriptorCalls } from './calls/descriptors.ts';
import type { FileCalls } from './calls/files.ts';
import type { MountCalls } from './calls/mounts.ts';
import type { NamespaceCalls } from './calls/namespaces.ts';
import type { NetlinkCalls } from './calls/netlink.ts';
import type { ProcessCalls } from './calls/process.ts';
import type { SchedulingCalls } from './calls/scheduling.ts';
import type { SeccompCalls } from './calls/seccomp.ts';
import type { SpawnCalls } from './calls/spawn.ts';
import type { TerminalCalls } from './calls/terminal.ts';
import type { TreeCalls } from './calls/trees.ts';

export type { CapabilityMasks } from './calls/credentials.ts';
export type { FileStatus } from './calls/files.ts';
export type { MountAttributes } from './calls/mounts.ts';
export type { SchedulerAttributes } from './calls/scheduling.ts';
export type { SpawnedEnd } from './calls/spawn.ts';

/**
 * Every kernel call that a child makes between fork and exec, by its name in section 2 of the
 * manual. All are synchronous. A failure is thrown as SyscallError of @pilotlight/scm-rights.
 *
 * Descriptors are plain numbers here: a child that fails ends at once, and the kernel closes them.
 * linux.ts makes the calls; recording.ts remembers them, and fails where a test wants it.
 */
export interface Syscall
  extends
    CredentialCalls,
    DescriptorCalls,
    FileCalls,
    MountCalls,
    NamespaceCalls,
    NetlinkCalls,
    ProcessCalls,
    SchedulingCalls,
    SeccompCalls,
    SpawnCalls,
    TerminalCalls,
    TreeCalls {}
