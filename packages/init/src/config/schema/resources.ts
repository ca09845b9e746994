import { z } from 'zod';
import type { OciResources } from '../spec/resources.ts';
import { int64, kernelString, uint32, uint64 } from './primitives.ts';

const deviceRuleSchema = z.object({
  allow: z.boolean(),
  type: z.enum(['a', 'b', 'c']).optional(),
  major: int64.optional(),
  minor: int64.optional(),
  access: z
    .string()
    .regex(/^[rwm]*$/, 'must consist of r, w and m')
    .optional(),
});

/** A limit that -1 lifts. The kernel has no other negative one, so that any other is a mistake. */
const limit = int64.refine((bytes) => bytes >= -1 && fitsInt64(bytes), 'must be -1 or more');
const signed = int64.refine(fitsInt64, 'must be a 64-bit number');

function fitsInt64(value: number | bigint): boolean {
  return BigInt.asIntN(64, BigInt(value)) === BigInt(value);
}

const UNSET = 0xffff_ffff_ffff_ffffn;

const memorySchema = z.object({
  limit: limit.optional(),
  reservation: limit.optional(),
  swap: limit.optional(),
  kernel: limit.optional(),
  kernelTCP: limit.optional(),
  swappiness: uint64
    .refine((value) => value <= 100 || BigInt(value) === UNSET, 'must be 0 to 100')
    .optional(),
  disableOOMKiller: z.boolean().optional(),
  useHierarchy: z.boolean().optional(),
  checkBeforeUpdate: z.boolean().optional(),
});

/** The list format of cpuset(7), without its rarer `:used/group` form. */
const numberList = z
  .string()
  .regex(
    /^(\d{1,10}(-\d{1,10})?(,\d{1,10}(-\d{1,10})?)*)?$/,
    'must be a list of numbers and ranges such as 0-3,7',
  );

const cpuSchema = z.object({
  shares: uint64.optional(),
  quota: signed.optional(),
  burst: uint64.optional(),
  period: uint64.optional(),
  realtimeRuntime: signed.optional(),
  realtimePeriod: uint64.optional(),
  cpus: numberList.optional(),
  mems: numberList.optional(),
  idle: int64.refine((value) => value >= 0 && value <= 1, 'must be 0 or 1').optional(),
});

const deviceNumber = int64.refine(
  (value) => value >= 0 && value <= 0xffff_ffff,
  'must be the number of a device',
);
const weight = z
  .int()
  .refine((value) => value === 0 || (value >= 10 && value <= 1000), 'must be 10 to 1000');

const throttles = z
  .array(z.object({ major: deviceNumber, minor: deviceNumber, rate: uint64 }))
  .nullish();

const blockIOSchema = z.object({
  weight: weight.optional(),
  leafWeight: weight.optional(),
  weightDevice: z
    .array(
      z
        .object({
          major: deviceNumber,
          minor: deviceNumber,
          weight: weight.optional(),
          leafWeight: weight.optional(),
        })
        .refine(
          (device) => device.weight !== undefined || device.leafWeight !== undefined,
          'must have a weight or a leafWeight',
        ),
    )
    .nullish(),
  throttleReadBpsDevice: throttles,
  throttleWriteBpsDevice: throttles,
  throttleReadIOPSDevice: throttles,
  throttleWriteIOPSDevice: throttles,
});

const hugepageLimitSchema = z.object({
  pageSize: z.string().regex(/^[1-9]\d{0,9}[KMG]B$/, 'must be a size such as 2MB, 64KB or 1GB'),
  limit: uint64,
});

/** One word of a control file: what is between blanks. */
const word = kernelString.regex(/^[^\s/]+$/, 'must be one word');

const networkSchema = z.object({
  classID: uint32.optional(),
  priorities: z.array(z.object({ name: word, priority: uint32 })).nullish(),
});

const rdmaSchema = z
  .object({ hcaHandles: uint32.optional(), hcaObjects: uint32.optional() })
  .refine(
    (device) => device.hcaHandles !== undefined || device.hcaObjects !== undefined,
    'must have hcaHandles or hcaObjects',
  );

/** Files that move, end or stop processes, or that enabling controllers is about: they set no limit. */
const notALimit =
  /^cgroup\.(procs|threads|type|kill|freeze|events|controllers|subtree_control|stat)$/;

const unifiedFile = kernelString
  .regex(/^[a-z0-9_]+(\.[\w-]+)+$/i, 'must be the name of a control file such as memory.high')
  .refine((file) => !notALimit.test(file), 'must be a file that sets a limit');

/** `linux.resources`. Loose: a member that is not known here is refused by name, not dropped. */
export const resourcesSchema: z.ZodType<OciResources> = z.looseObject({
  devices: z.array(deviceRuleSchema).nullish(),
  memory: memorySchema.nullish(),
  cpu: cpuSchema.nullish(),
  pids: z.object({ limit: signed.optional() }).nullish(),
  blockIO: blockIOSchema.nullish(),
  hugepageLimits: z.array(hugepageLimitSchema).nullish(),
  network: networkSchema.nullish(),
  rdma: z.record(word, rdmaSchema).nullish(),
  unified: z.record(unifiedFile, kernelString.min(1)).nullish(),
});
