import type { OciResources } from './spec/resources.ts';

// `config.json` of the OCI runtime specification 1.3 for Linux, as types. Everything that the
// specification leaves optional is optional here; 64-bit numbers may be bigint.

import type {
  OciExecCpuAffinity,
  OciIntelRdt,
  OciIoPriority,
  OciMemoryPolicy,
  OciNetDevice,
  OciPersonality,
  OciScheduler,
} from './spec/attributes.ts';
import type { OciHooks } from './spec/hooks.ts';
import type { OciDevice, OciMount, OciRootfsPropagation } from './spec/mounts.ts';
import type { OciIdMapping, OciNamespace, OciTimeOffsets } from './spec/namespaces.ts';
import type { OciSeccomp } from './spec/seccomp.ts';

export type { OciDevice, OciMount, OciRootfsPropagation } from './spec/mounts.ts';

export type OciSpec = {
  ociVersion: string;
  process: OciProcess;
  root: { path: string; readonly?: boolean | undefined };
  hostname?: string | undefined;
  domainname?: string | undefined;
  mounts?: OciMount[] | null | undefined;
  hooks?: OciHooks | null | undefined;
  annotations?: Record<string, string> | null | undefined;
  linux?: OciLinux | null | undefined;
};

export type OciProcess = {
  terminal?: boolean | undefined;
  consoleSize?: { height: number; width: number } | undefined;
  user?: OciUser | undefined;
  args: string[];
  /** `NAME=value` */
  env?: string[] | null | undefined;
  cwd: string;
  capabilities?: OciCapabilitySets | null | undefined;
  rlimits?: OciRlimit[] | null | undefined;
  noNewPrivileges?: boolean | undefined;
  /** -1000 to 1000 */
  oomScoreAdj?: number | undefined;
  apparmorProfile?: string | undefined;
  selinuxLabel?: string | undefined;
  scheduler?: OciScheduler | null | undefined;
  ioPriority?: OciIoPriority | null | undefined;
  execCPUAffinity?: OciExecCpuAffinity | null | undefined;
};

export type OciUser = {
  uid?: number | undefined;
  gid?: number | undefined;
  umask?: number | undefined;
  additionalGids?: number[] | null | undefined;
  username?: string | undefined;
};

export type OciRlimit = {
  /** `RLIMIT_…` */
  type: string;
  soft: number | bigint;
  hard: number | bigint;
};

/** Names such as `CAP_KILL`; see capabilities(7). */
export type OciCapabilitySets = {
  bounding?: string[] | null | undefined;
  effective?: string[] | null | undefined;
  inheritable?: string[] | null | undefined;
  permitted?: string[] | null | undefined;
  ambient?: string[] | null | undefined;
};

export type OciDeviceRule = {
  allow: boolean;
  type?: 'a' | 'b' | 'c' | undefined;
  /** Negative or absent: every number. */
  major?: number | bigint | undefined;
  minor?: number | bigint | undefined;
  /** Some of `r`, `w`, `m`. */
  access?: string | undefined;
};

export type OciLinux = {
  namespaces?: OciNamespace[] | null | undefined;
  cgroupsPath?: string | undefined;
  resources?: OciResources | null | undefined;
  maskedPaths?: string[] | null | undefined;
  readonlyPaths?: string[] | null | undefined;
  rootfsPropagation?: OciRootfsPropagation | undefined;
  devices?: OciDevice[] | null | undefined;
  /** Of the new user namespace. */
  uidMappings?: OciIdMapping[] | null | undefined;
  gidMappings?: OciIdMapping[] | null | undefined;
  sysctl?: Record<string, string> | null | undefined;
  seccomp?: OciSeccomp | null | undefined;
  mountLabel?: string | undefined;
  intelRdt?: OciIntelRdt | null | undefined;
  personality?: OciPersonality | null | undefined;
  timeOffsets?: OciTimeOffsets | null | undefined;
  netDevices?: Record<string, OciNetDevice> | null | undefined;
  memoryPolicy?: OciMemoryPolicy | null | undefined;
};
