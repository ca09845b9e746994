import { z } from 'zod';
import type { OciFeatures } from './oci-features.ts';

const names = z.array(z.string());
const enabled = z.strictObject({ enabled: z.boolean() });
const version = z.string().regex(/^\d+\.\d+\.\d+/);

/** The features structure as features.md and features-linux.md of the specification 1.3 have it, and nothing beside. */
export const ociFeaturesSchema: z.ZodType<OciFeatures> = z.strictObject({
  ociVersionMin: version,
  ociVersionMax: version,
  hooks: names,
  mountOptions: names,
  linux: z.strictObject({
    namespaces: z.array(
      z.enum(['mount', 'pid', 'network', 'uts', 'ipc', 'user', 'cgroup', 'time']),
    ),
    capabilities: z.array(z.string().regex(/^CAP_[A-Z_]+$/)),
    cgroup: z.strictObject({
      v1: z.boolean(),
      v2: z.boolean(),
      systemd: z.boolean(),
      systemdUser: z.boolean(),
      rdma: z.boolean(),
    }),
    seccomp: z.strictObject({
      enabled: z.boolean(),
      actions: z.array(z.string().startsWith('SCMP_ACT_')).optional(),
      operators: z.array(z.string().startsWith('SCMP_CMP_')).optional(),
      archs: z.array(z.string().startsWith('SCMP_ARCH_')).optional(),
      knownFlags: z.array(z.string().startsWith('SECCOMP_FILTER_FLAG_')).optional(),
      supportedFlags: z.array(z.string().startsWith('SECCOMP_FILTER_FLAG_')).optional(),
    }),
    apparmor: enabled,
    selinux: enabled,
    memoryPolicy: z.strictObject({
      modes: z.array(z.string().startsWith('MPOL_')),
      flags: z.array(z.string().startsWith('MPOL_F_')),
    }),
    intelRdt: z.strictObject({
      enabled: z.boolean(),
      schemata: z.boolean(),
      monitoring: z.boolean(),
    }),
    mountExtensions: z.strictObject({ idmap: enabled }),
    netDevices: enabled,
  }),
  annotations: z.record(z.string().min(1), z.string()),
  potentiallyUnsafeConfigAnnotations: names,
});
