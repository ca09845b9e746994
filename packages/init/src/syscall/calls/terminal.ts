import { O_CLOEXEC, O_NOCTTY, O_RDWR } from '../constants.ts';
import type { Kernel } from '../kernel.ts';

const TIOCSPTLCK = 0x4004_5431;
const TIOCGPTPEER = 0x5441;
const TIOCSWINSZ = 0x5414;
const TIOCSCTTY = 0x540e;

/** Pseudo-terminals; ioctl_tty(2). */
export interface TerminalCalls {
  /** TIOCSPTLCK, TIOCGPTPEER: unlocks the pty and opens its other side. */
  openPtyPeer(master: number): number;
  setWindowSize(fd: number, height: number, width: number): void;
  /** TIOCSCTTY */
  setControllingTerminal(fd: number): void;
}

export function terminalCalls({ libc, check }: Kernel): TerminalCalls {
  const ioctl = libc.func('ioctl', 'int', ['int', 'ulong', 'void *']);
  const ioctlInteger = libc.func('ioctl', 'int', ['int', 'ulong', 'long']);

  const lock = new Int32Array(1);
  const winsize = new Uint16Array(4);

  return {
    openPtyPeer(master) {
      lock[0] = 0;
      check('ioctl', 'TIOCSPTLCK', ioctl, master, TIOCSPTLCK, lock);
      const flags = O_RDWR | O_NOCTTY | O_CLOEXEC;
      return check('ioctl', 'TIOCGPTPEER', ioctlInteger, master, TIOCGPTPEER, flags);
    },
    setWindowSize(fd, height, width) {
      winsize[0] = height;
      winsize[1] = width;
      check('ioctl', 'TIOCSWINSZ', ioctl, fd, TIOCSWINSZ, winsize);
    },
    setControllingTerminal: (fd) =>
      void check('ioctl', 'TIOCSCTTY', ioctlInteger, fd, TIOCSCTTY, 0),
  };
}
