import { z } from 'zod';
import type { OciDevice, OciMount, OciRootfsPropagation } from '../spec/mounts.ts';
import { idMappingSchema } from './namespaces.ts';
import { absolutePath, kernelString, uint32, userId } from './primitives.ts';

export const mountSchema: z.ZodType<OciMount> = z.object({
  destination: kernelString.min(1),
  type: kernelString.optional(),
  source: kernelString.optional(),
  options: z.array(kernelString).nullish(),
  uidMappings: z.array(idMappingSchema).nullish(),
  gidMappings: z.array(idMappingSchema).nullish(),
});

/** The kernel keeps 12 bits of the major and 20 of the minor number. */
const maxMajor = 0xfff;
const maxMinor = 0xf_ffff;

export const deviceSchema: z.ZodType<OciDevice> = z
  .object({
    path: absolutePath,
    type: z.enum(['c', 'b', 'u', 'p']),
    major: z.int().min(0).max(maxMajor).optional(),
    minor: z.int().min(0).max(maxMinor).optional(),
    fileMode: uint32.optional(),
    uid: userId.optional(),
    gid: userId.optional(),
  })
  .refine(
    ({ type, major, minor }) => type === 'p' || (major !== undefined && minor !== undefined),
    'needs a major and a minor number',
  );

export const rootfsPropagationSchema: z.ZodType<OciRootfsPropagation> = z.enum([
  '',
  'private',
  'rprivate',
  'slave',
  'rslave',
  'shared',
  'rshared',
  'unbindable',
  'runbindable',
]);
