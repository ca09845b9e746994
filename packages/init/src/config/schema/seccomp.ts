import { z } from 'zod';
import { seccompActions, seccompFlags, seccompOperators } from '../../seccomp/names.ts';
import type { OciSeccomp } from '../spec/seccomp.ts';
import { kernelString, uint64 } from './primitives.ts';

/** The low 16 bits of what a filter returns; which values an action takes is checked in plan-profile.ts. */
const returnData = z.int().min(0).max(0xffff);
const action = z.enum(Object.keys(seccompActions) as (keyof typeof seccompActions)[]);

const argSchema = z.object({
  index: z.int().min(0).max(5),
  value: uint64,
  valueTwo: uint64.optional(),
  op: z.enum(Object.keys(seccompOperators) as (keyof typeof seccompOperators)[]),
});

const ruleSchema = z.object({
  names: z.array(kernelString.min(1)).min(1, 'must name a system call'),
  action,
  errnoRet: returnData.optional(),
  args: z.array(argSchema).nullish(),
});

/** Checks `linux.seccomp`: form and ranges. */
export const seccompSchema: z.ZodType<OciSeccomp> = z.object({
  defaultAction: action,
  defaultErrnoRet: returnData.optional(),
  architectures: z
    .array(kernelString.regex(/^SCMP_ARCH_[A-Z0-9_]+$/, 'must have the form SCMP_ARCH_NAME'))
    .nullish(),
  flags: z.array(z.enum(Object.keys(seccompFlags) as (keyof typeof seccompFlags)[])).nullish(),
  listenerPath: kernelString.optional(),
  listenerMetadata: z.string().optional(),
  syscalls: z.array(ruleSchema).nullish(),
});
