import { isSyscallError } from '@pilotlight/scm-rights';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  O_NOCTTY,
  O_NONBLOCK,
  O_RDONLY,
  RESOLVE_NO_MAGICLINKS,
  S_IFMT,
  S_IFREG,
} from '../syscall/constants.ts';
import type { Syscall } from '../syscall/syscall.ts';

/** The environment of the program: the configuration's, and HOME if that has none. */
export function programEnvironment(sys: Syscall, env: readonly string[], uid: number): string[] {
  const hasHome = env.some((entry) => entry.startsWith('HOME='));
  return hasHome ? [...env] : [...env, `HOME=${homeDirectory(sys, uid)}`];
}

/** Of a longer passwd(5) only the beginning counts. */
const maxPasswdBytes = 1 << 20;

/** The home directory that the container's own passwd(5) gives the user; `/` where it says nothing. */
function homeDirectory(sys: Syscall, uid: number): string {
  let text: string;
  try {
    text = readPasswd(sys);
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

/**
 * The file is the image's: a fifo must not be waited for, a terminal must not become this session's,
 * and neither a device nor a file without end may be read to its end.
 */
function readPasswd(sys: Syscall): string {
  const path = '/etc/passwd';
  const flags = O_RDONLY | O_NONBLOCK | O_NOCTTY;
  const fd = sys.openat2(AT_FDCWD, path, flags, RESOLVE_NO_MAGICLINKS);
  const isFile = (sys.statx(fd, '', AT_EMPTY_PATH).mode & S_IFMT) === S_IFREG;
  const text = isFile ? new TextDecoder().decode(sys.readStart(fd, maxPasswdBytes, path)) : '';
  sys.close(fd);
  return text;
}
