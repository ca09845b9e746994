import { isSyscallError } from '@pilotlight/scm-rights';
import { AT_FDCWD, O_RDONLY, RESOLVE_NO_MAGICLINKS } from '../syscall/constants.ts';
import type { Syscall } from '../syscall/syscall.ts';

/** The environment of the program: the configuration's, and HOME if that has none. */
export function programEnvironment(sys: Syscall, env: readonly string[], uid: number): string[] {
  const hasHome = env.some((entry) => entry.startsWith('HOME='));
  return hasHome ? [...env] : [...env, `HOME=${homeDirectory(sys, uid)}`];
}

/** The home directory that the container's own passwd(5) gives the user; `/` where it says nothing. */
function homeDirectory(sys: Syscall, uid: number): string {
  let text: string;
  try {
    const fd = sys.openat2(AT_FDCWD, '/etc/passwd', O_RDONLY, RESOLVE_NO_MAGICLINKS);
    text = new TextDecoder().decode(sys.readAll(fd, '/etc/passwd'));
    sys.close(fd);
  } catch (error) {
    if (isSyscallError(error)) return '/';
    throw error;
  }
  for (const line of text.split('\n')) {
    const fields = line.split(':');
    if (fields[2] === String(uid))
      return fields[5] === undefined || fields[5] === '' ? '/' : fields[5];
  }
  return '/';
}
