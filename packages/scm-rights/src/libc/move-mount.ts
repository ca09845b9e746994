import { cStringBytes } from './c-string.ts';
import { invokeSyscall } from './invoke.ts';
import { loadLibc } from './library.ts';
import { SYS_move_mount } from './syscall-number.ts';

/** Attaches or moves a mount; `move_mount(2)`, Linux 5.2. `flags` are MOVE_MOUNT_…; symbolic links are not followed without them. */
export function moveMount(
  fromDirfd: number,
  from: string,
  toDirfd: number,
  to: string,
  flags: number,
): void {
  const fromName = cStringBytes(from);
  const toName = cStringBytes(to);
  const libc = loadLibc();
  invokeSyscall(
    'move_mount',
    {
      ...(from === '' ? { fd: fromDirfd } : { path: from }),
      ...(to === '' ? {} : { dest: to }),
    },
    SYS_move_mount,
    fromDirfd,
    libc.address(fromName),
    toDirfd,
    libc.address(toName),
    flags,
  );
}
