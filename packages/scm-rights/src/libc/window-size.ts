import { TIOCGWINSZ, TIOCSWINSZ } from './constants.ts';
import { invoke, lazyFunction } from './invoke.ts';

const call = lazyFunction('ioctl', 'int', ['int', 'ulong', 'void *']);

/** Rows and columns of a terminal, each 0 to 65535; TIOCGWINSZ of ioctl_tty(2). ENOTTY for anything else. */
export function ioctlGetWindowSize(fd: number): { rows: number; columns: number } {
  const size = new Uint16Array(4);
  invoke('ioctl TIOCGWINSZ', fd, call(), fd, TIOCGWINSZ, size);
  return { rows: size[0]!, columns: size[1]! };
}

/** Sets them, which sends SIGWINCH to the foreground processes; TIOCSWINSZ of ioctl_tty(2). */
export function ioctlSetWindowSize(fd: number, rows: number, columns: number): void {
  invoke('ioctl TIOCSWINSZ', fd, call(), fd, TIOCSWINSZ, new Uint16Array([rows, columns, 0, 0]));
}
