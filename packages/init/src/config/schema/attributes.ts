import { z } from 'zod';
import { isNumberList } from '../../plan/number-list.ts';
import { highestMemoryNode } from '../../plan/memory-policy.ts';
import { highestCpu } from '../../plan/cpu-affinity.ts';
import type {
  OciExecCpuAffinity,
  OciIntelRdt,
  OciIoPriority,
  OciMemoryPolicy,
  OciNetDevice,
  OciPersonality,
  OciScheduler,
} from '../spec/attributes.ts';
import { kernelString, uint64 } from './primitives.ts';

/** Names and values of kernel parameters; which may be set is decided in plan/sysctl.ts. */
export const sysctlSchema: z.ZodType<Record<string, string>> = z.record(kernelString, kernelString);

export const schedulerSchema: z.ZodType<OciScheduler> = z.object({
  policy: z.enum([
    'SCHED_OTHER',
    'SCHED_FIFO',
    'SCHED_RR',
    'SCHED_BATCH',
    'SCHED_IDLE',
    'SCHED_DEADLINE',
    'SCHED_ISO',
  ]),
  nice: z.int().min(-20).max(19).optional(),
  priority: z.int().min(0).max(99).optional(),
  flags: z
    .array(
      z.enum([
        'SCHED_FLAG_RESET_ON_FORK',
        'SCHED_FLAG_RECLAIM',
        'SCHED_FLAG_DL_OVERRUN',
        'SCHED_FLAG_KEEP_POLICY',
        'SCHED_FLAG_KEEP_PARAMS',
        'SCHED_FLAG_UTIL_CLAMP_MIN',
        'SCHED_FLAG_UTIL_CLAMP_MAX',
      ]),
    )
    .nullish(),
  runtime: uint64.optional(),
  deadline: uint64.optional(),
  period: uint64.optional(),
});

export const ioPrioritySchema: z.ZodType<OciIoPriority> = z.object({
  class: z.enum(['IOPRIO_CLASS_RT', 'IOPRIO_CLASS_BE', 'IOPRIO_CLASS_IDLE']),
  priority: z.int().min(0).max(7),
});

const numberList = (highest: number, what: string): z.ZodType<string> =>
  z
    .string()
    .refine(
      (text) => isNumberList(text, highest),
      `must be a list of ${what} such as 0-3,7, of numbers up to ${highest}`,
    );
const cpuList = numberList(highestCpu, 'CPUs');

export const execCpuAffinitySchema: z.ZodType<OciExecCpuAffinity> = z.object({
  initial: cpuList.optional(),
  final: cpuList.optional(),
});

export const personalitySchema: z.ZodType<OciPersonality> = z.object({
  domain: z.enum(['LINUX', 'LINUX32']),
  flags: z.array(z.string()).max(0, 'has no known values').nullish(),
});

export const memoryPolicySchema: z.ZodType<OciMemoryPolicy> = z.object({
  mode: z.enum([
    'MPOL_DEFAULT',
    'MPOL_BIND',
    'MPOL_INTERLEAVE',
    'MPOL_WEIGHTED_INTERLEAVE',
    'MPOL_PREFERRED',
    'MPOL_PREFERRED_MANY',
    'MPOL_LOCAL',
  ]),
  nodes: numberList(highestMemoryNode, 'memory nodes').optional(),
  flags: z
    .array(z.enum(['MPOL_F_NUMA_BALANCING', 'MPOL_F_RELATIVE_NODES', 'MPOL_F_STATIC_NODES']))
    .nullish(),
});

const schemaLine = kernelString.refine((line) => !line.includes('\n'), 'must be a single line');

/** Names of directories that every resctrl group has itself. */
const ownDirectories = ['info', 'mon_groups', 'mon_data'];

export const intelRdtSchema: z.ZodType<OciIntelRdt> = z.object({
  closID: kernelString
    .refine(
      (name) =>
        name === '/' ||
        (!name.includes('/') &&
          !name.includes('\n') &&
          name !== '.' &&
          name !== '..' &&
          !ownDirectories.includes(name)),
      'must be the name of a resctrl group, or / for the default one',
    )
    .optional(),
  l3CacheSchema: schemaLine.optional(),
  memBwSchema: schemaLine
    .refine((line) => line === '' || line.startsWith('MB:'), 'must start with MB:')
    .optional(),
  schemata: z.array(schemaLine).nullish(),
  enableMonitoring: z.boolean().optional(),
});

const maxInterfaceNameBytes = 15;
/** What dev_valid_name() of the kernel takes: net/core/dev.c. */
const isInterfaceName = (name: string): boolean =>
  name !== '' &&
  name !== '.' &&
  name !== '..' &&
  Buffer.byteLength(name) <= maxInterfaceNameBytes &&
  !/[\s/:]/.test(name);
const interfaceName = kernelString.refine(
  isInterfaceName,
  `must be the name of a network interface, at most ${maxInterfaceNameBytes} bytes`,
);

export const netDevicesSchema: z.ZodType<Record<string, OciNetDevice>> = z.record(
  interfaceName.refine((name) => !name.includes('%'), 'must name an interface of the host'),
  z.object({
    name: interfaceName
      .refine(
        (name) => !name.includes('%') || /^[^%]*%d[^%]*$/.test(name),
        'may hold one %d, for the next free number, and no other %',
      )
      .or(z.literal(''))
      .optional(),
  }),
);

/** An AppArmor profile or a SELinux label. */
export const securityLabel: z.ZodType<string> = kernelString.refine(
  (label) => !label.includes('\n'),
  'must be a single line',
);
