import type { OciResources } from './spec/resources.ts';

// `config.json` of the OCI runtime specification 1.3 for Linux, as types. Everything that the
// specification leaves optional is optional here; 64-bit numbers may be bigint.

export type OciSpec = {
  ociVersion: string;
  process: OciProcess;
  root: { path: string; readonly?: boolean | undefined };
  hostname?: string | undefined;
  domainname?: string | undefined;
  mounts?: OciMount[] | null | undefined;
  /** By kind: `prestart`, `createRuntime`, `createContainer`, `startContainer`, `poststart`, `poststop`. */
  hooks?: Record<string, unknown[] | null | undefined> | null | undefined;
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
  scheduler?: unknown;
  ioPriority?: unknown;
  execCPUAffinity?: unknown;
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

export type OciMount = {
  destination: string;
  type?: string | undefined;
  source?: string | undefined;
  options?: string[] | null | undefined;
  uidMappings?: unknown[] | null | undefined;
  gidMappings?: unknown[] | null | undefined;
};

export type OciNamespaceType =
  | 'pid'
  | 'network'
  | 'ipc'
  | 'uts'
  | 'mount'
  | 'cgroup'
  | 'user'
  | 'time';

export type OciNamespace = { type: OciNamespaceType; path?: string | undefined };

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
  rootfsPropagation?: string | undefined;
  devices?: unknown[] | null | undefined;
  uidMappings?: unknown[] | null | undefined;
  gidMappings?: unknown[] | null | undefined;
  sysctl?: Record<string, string> | null | undefined;
  seccomp?: unknown;
  mountLabel?: string | undefined;
  intelRdt?: unknown;
  personality?: unknown;
  timeOffsets?: unknown;
  netDevices?: unknown;
  memoryPolicy?: unknown;
};
