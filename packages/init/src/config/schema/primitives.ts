import { z } from 'zod';

const reachesKernel = (text: string): boolean => !text.includes('\0') && text.isWellFormed();
/** A string that the kernel will see: a NUL byte would end it early, a lone surrogate become another character. */
export const kernelString: z.ZodString = z
  .string()
  .refine(reachesKernel, 'must be valid text without a NUL byte');
export const absolutePath: z.ZodType<string> = kernelString.refine(
  (path) => path.startsWith('/'),
  'must be an absolute path',
);
export const uint32: z.ZodType<number> = z.int().min(0).max(0xffff_ffff);
/** A user or group id: the highest number means "leave it as it is" to setresuid(2), which would leave root. */
export const userId: z.ZodType<number> = z.int().min(0).max(0xffff_fffe);
/** Rows or columns of a terminal, ioctl_tty(2). */
export const terminalSize: z.ZodType<number> = z.int().min(0).max(0xffff);
/** A name of the uts namespace; the kernel counts bytes. */
export const utsName = (call: string): z.ZodType<string> =>
  kernelString.refine(
    (name) => new TextEncoder().encode(name).length <= 64,
    `must be at most 64 bytes, see ${call}(2)`,
  );
export const int64: z.ZodType<number | bigint> = z.union([z.int(), z.bigint()]);
export const uint64: z.ZodType<number | bigint> = z.union([
  z.int().min(0),
  z.bigint().min(0n).max(0xffff_ffff_ffff_ffffn),
]);
