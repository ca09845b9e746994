import type { Kernel } from '../kernel.ts';

/** What kind of file system an open file is on. */
export interface ProcfsCalls {
  /** f_type of fstatfs(2); `path` is how an error calls the file. */
  fstatfs(fd: number, path: string): { type: number };
}

export function procfsCalls({ libc, check }: Kernel): ProcfsCalls {
  const fstatfs = libc.func('fstatfs', 'int', ['int', 'void *']);

  const buffer = Buffer.alloc(256);

  return {
    fstatfs(fd, path) {
      check('fstatfs', path, fstatfs, fd, buffer);
      return { type: Number(buffer.readBigInt64LE(0)) };
    },
  };
}
