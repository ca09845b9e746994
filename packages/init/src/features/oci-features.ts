import type { OciNamespaceType } from '../config/spec/namespaces.ts';

/** What a runtime supports, whatever the host has; OCI runtime specification 1.3, features.md. */
export type OciFeatures = {
  ociVersionMin: string;
  ociVersionMax: string;
  /** Kinds of hooks. */
  hooks: string[];
  /** Without those that a file system takes itself. */
  mountOptions: string[];
  linux: OciLinuxFeatures;
  annotations: Record<string, string>;
  /** Annotations of a configuration that can change what a launch does. */
  potentiallyUnsafeConfigAnnotations: string[];
};

/** features-linux.md */
export type OciLinuxFeatures = {
  namespaces: OciNamespaceType[];
  capabilities: string[];
  cgroup: { v1: boolean; v2: boolean; systemd: boolean; systemdUser: boolean; rdma: boolean };
  seccomp: OciSeccompFeatures;
  apparmor: { enabled: boolean };
  selinux: { enabled: boolean };
  memoryPolicy: { modes: string[]; flags: string[] };
  intelRdt: { enabled: boolean; schemata: boolean; monitoring: boolean };
  mountExtensions: { idmap: { enabled: boolean } };
  netDevices: { enabled: boolean };
};

/** The lists are there where it is enabled. */
export type OciSeccompFeatures = {
  enabled: boolean;
  actions?: string[] | undefined;
  operators?: string[] | undefined;
  archs?: string[] | undefined;
  knownFlags?: string[] | undefined;
  supportedFlags?: string[] | undefined;
};
