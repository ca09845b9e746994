import { z } from 'zod';
import type { OciSpec } from './oci-spec.ts';
import {
  absolutePath,
  kernelString,
  terminalSize,
  uint32,
  uint64,
  userId,
  utsName,
} from './schema/primitives.ts';
import { resourcesSchema } from './schema/resources.ts';

// Unknown properties are dropped and are no error (config.md, Extensibility: a runtime MUST ignore
// them); known properties that this version cannot honour are refused in refuse-unsupported.ts.

const capabilitySetsSchema = z.object({
  bounding: z.array(z.string()).nullish(),
  effective: z.array(z.string()).nullish(),
  inheritable: z.array(z.string()).nullish(),
  permitted: z.array(z.string()).nullish(),
  ambient: z.array(z.string()).nullish(),
});

const rlimitSchema = z.object({
  type: z.string(),
  soft: uint64,
  hard: uint64,
});

const processSchema = z.object({
  terminal: z.boolean().optional(),
  consoleSize: z.object({ height: terminalSize, width: terminalSize }).optional(),
  user: z
    .object({
      uid: userId.optional(),
      gid: userId.optional(),
      umask: uint32.optional(),
      additionalGids: z.array(userId).nullish(),
      username: z.string().optional(),
    })
    .optional(),
  args: z.array(kernelString).min(1, 'must name the program to run'),
  env: z
    .array(kernelString.refine((entry) => entry.indexOf('=') > 0, 'must have the form NAME=value'))
    .nullish(),
  cwd: absolutePath,
  capabilities: capabilitySetsSchema.nullish(),
  rlimits: z.array(rlimitSchema).nullish(),
  noNewPrivileges: z.boolean().optional(),
  oomScoreAdj: z.int().min(-1000).max(1000).optional(),
  apparmorProfile: z.string().optional(),
  selinuxLabel: z.string().optional(),
  scheduler: z.unknown().optional(),
  ioPriority: z.unknown().optional(),
  execCPUAffinity: z.unknown().optional(),
});

const mountSchema = z.object({
  destination: kernelString.min(1),
  type: kernelString.optional(),
  source: kernelString.optional(),
  options: z.array(kernelString).nullish(),
  uidMappings: z.array(z.unknown()).nullish(),
  gidMappings: z.array(z.unknown()).nullish(),
});

const namespaceTypes = ['pid', 'network', 'ipc', 'uts', 'mount', 'cgroup', 'user', 'time'] as const;

const namespaceSchema = z.object({
  type: z.enum(namespaceTypes),
  path: kernelString.optional(),
});

const linuxSchema = z.object({
  namespaces: z.array(namespaceSchema).nullish(),
  cgroupsPath: kernelString.optional(),
  resources: resourcesSchema.nullish(),
  maskedPaths: z.array(absolutePath).nullish(),
  readonlyPaths: z.array(absolutePath).nullish(),
  rootfsPropagation: z.string().optional(),
  devices: z.array(z.unknown()).nullish(),
  uidMappings: z.array(z.unknown()).nullish(),
  gidMappings: z.array(z.unknown()).nullish(),
  sysctl: z.record(z.string(), z.string()).nullish(),
  seccomp: z.unknown().optional(),
  mountLabel: z.string().optional(),
  intelRdt: z.unknown().optional(),
  personality: z.unknown().optional(),
  timeOffsets: z.unknown().optional(),
  netDevices: z.unknown().optional(),
  memoryPolicy: z.unknown().optional(),
});

/** Checks a `config.json`: form and ranges, not yet whether fields fit each other. */
export const ociSpecSchema: z.ZodType<OciSpec> = z.object({
  ociVersion: z
    .string()
    .regex(/^1\.\d+\.\d+/, 'must be a 1.x version of the OCI runtime specification'),
  process: processSchema,
  root: z.object({ path: kernelString.min(1), readonly: z.boolean().optional() }),
  hostname: utsName('sethostname').optional(),
  domainname: utsName('setdomainname').optional(),
  mounts: z.array(mountSchema).nullish(),
  hooks: z.record(z.string(), z.array(z.unknown()).nullish()).nullish(),
  annotations: z.record(z.string(), z.string()).nullish(),
  linux: linuxSchema.nullish(),
});
