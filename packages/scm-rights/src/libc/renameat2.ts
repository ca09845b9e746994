import { cStringBytes } from './c-string.ts';
import { AT_FDCWD } from './constants.ts';
import { invokeSyscall } from './invoke.ts';
import { loadLibc } from './library.ts';
import { SYS_renameat2 } from './syscall-number.ts';

/** Renames by path; `renameat2(2)`, Linux 3.15. `flags` are RENAME_…. */
export function renameat2(from: string, to: string, flags: number): void {
  const fromName = cStringBytes(from);
  const toName = cStringBytes(to);
  const libc = loadLibc();
  invokeSyscall(
    'renameat2',
    { path: from, dest: to },
    SYS_renameat2,
    AT_FDCWD,
    libc.address(fromName),
    AT_FDCWD,
    libc.address(toName),
    flags,
  );
}
