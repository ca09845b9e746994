import { z } from 'zod';
import type { OciSpec } from './oci-spec.ts';
import { hooksSchema } from './schema/hooks.ts';
import { deviceSchema, mountSchema, rootfsPropagationSchema } from './schema/mounts.ts';
import { idMappingSchema, namespaceSchema, timeOffsetsSchema } from './schema/namespaces.ts';
import {
  execCpuAffinitySchema,
  intelRdtSchema,
  ioPrioritySchema,
  memoryPolicySchema,
  netDevicesSchema,
  personalitySchema,
  schedulerSchema,
  securityLabel,
  sysctlSchema,
} from './schema/attributes.ts';
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
import { seccompSchema } from './schema/seccomp.ts';

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
  apparmorProfile: securityLabel.optional(),
  selinuxLabel: securityLabel.optional(),
  scheduler: schedulerSchema.nullish(),
  ioPriority: ioPrioritySchema.nullish(),
  execCPUAffinity: execCpuAffinitySchema.nullish(),
});

const linuxSchema = z.object({
  namespaces: z.array(namespaceSchema).nullish(),
  cgroupsPath: kernelString.optional(),
  resources: resourcesSchema.nullish(),
  maskedPaths: z.array(absolutePath).nullish(),
  readonlyPaths: z.array(absolutePath).nullish(),
  rootfsPropagation: rootfsPropagationSchema.optional(),
  devices: z.array(deviceSchema).nullish(),
  uidMappings: z.array(idMappingSchema).nullish(),
  gidMappings: z.array(idMappingSchema).nullish(),
  sysctl: sysctlSchema.nullish(),
  seccomp: seccompSchema.nullish(),
  mountLabel: securityLabel.optional(),
  intelRdt: intelRdtSchema.nullish(),
  personality: personalitySchema.nullish(),
  timeOffsets: timeOffsetsSchema.nullish(),
  netDevices: netDevicesSchema.nullish(),
  memoryPolicy: memoryPolicySchema.nullish(),
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
  hooks: hooksSchema.nullish(),
  annotations: z.record(z.string(), z.string()).nullish(),
  linux: linuxSchema.nullish(),
});
