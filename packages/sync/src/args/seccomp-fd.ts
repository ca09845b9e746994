import * as z from 'zod/mini';
import { InvalidArgError } from '../errors.ts';
import { checkArg, parseArg } from './decode-arg.ts';

/**
 * The argument of procSeccomp: the number of the seccomp notify descriptor *in the child*, from 0
 * to 2^31 - 1. The parent duplicates it with pidfd_getfd(2); it never travels as a file.
 */
export type SeccompFdArg = number;

const maxFd = 0x7fff_ffff;

/** The schema of {@link SeccompFdArg}. */
export const seccompFdSchema: z.ZodMiniType<SeccompFdArg> = /* @__PURE__ */ z
  .int()
  .check(/* @__PURE__ */ z.gte(0), /* @__PURE__ */ z.lte(maxFd));

/** The raw argument text. Throws InvalidArgError for what is no descriptor number. */
export function encodeSeccompFd(fd: SeccompFdArg): string {
  if (!Number.isInteger(fd) || fd < 0 || fd > maxFd) {
    throw new InvalidArgError(
      'procSeccomp',
      `${fd} is not a descriptor number`,
      `Give an integer from 0 to ${maxFd}.`,
    );
  }
  // "0" also for minus zero, which is an integer too.
  return String(fd);
}

/** Reads the raw argument of procSeccomp. Throws MalformedArgError. */
export function decodeSeccompFd(raw: string): SeccompFdArg {
  // "-0" is an integer for Go, and nothing but 0.
  return checkArg('procSeccomp', parseArg('procSeccomp', raw), seccompFdSchema) || 0;
}
