import { open } from './libc/open.ts';
import { OwnedFd } from './owned-fd.ts';

/** Opens `path` with O_… `flags` (as in `fs.constants`), close-on-exec; `open(2)`. `mode` counts with O_CREAT. Throws SyscallError. */
export function openFd(path: string, flags: number, mode = 0o600): OwnedFd {
  return new OwnedFd(open(path, flags, mode), path);
}
