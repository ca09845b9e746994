import { z } from 'zod';
import type { OciIdMapping, OciNamespace, OciTimeOffsets } from '../spec/namespaces.ts';
import { absolutePath, int64, userId } from './primitives.ts';

const namespaceTypes = ['pid', 'network', 'ipc', 'uts', 'mount', 'cgroup', 'user', 'time'] as const;

export const namespaceSchema: z.ZodType<OciNamespace> = z.object({
  type: z.enum(namespaceTypes),
  // An empty one means none, as runc has it.
  path: z.union([z.literal('').transform(() => undefined), absolutePath]).optional(),
});

export const idMappingSchema: z.ZodType<OciIdMapping> = z.object({
  containerID: userId,
  hostID: userId,
  size: z.int().min(1, 'must map at least one id').max(0xffff_ffff),
});

const timeOffsetSchema = z.object({
  secs: int64.optional(),
  nanosecs: z.int().min(0).max(999_999_999).optional(),
});

export const timeOffsetsSchema: z.ZodType<OciTimeOffsets> = z.object({
  monotonic: timeOffsetSchema.optional(),
  boottime: timeOffsetSchema.optional(),
});
