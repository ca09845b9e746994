import { z } from 'zod';

/** A number of 64 bits, which is digits in a string on disk, so that no JSON reader rounds it. */
export const digits: z.ZodType<bigint, string> = z
  .string()
  .regex(/^\d{1,20}$/, 'must be decimal digits')
  .transform(BigInt);
