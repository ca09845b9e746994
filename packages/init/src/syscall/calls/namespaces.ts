import type { Kernel } from '../kernel.ts';

const AF_INET = 2;
const SOCK_DGRAM_CLOEXEC = 2 | 0o200_0000;
const SIOCGIFFLAGS = 0x8913;
const SIOCSIFFLAGS = 0x8914;
const IFF_UP = 1;

/** Namespaces, and what is set inside a new one. */
export interface NamespaceCalls {
  unshare(flags: number): void;
  /** `nstype` 0 takes a namespace of any type; of a pidfd it says which of its namespaces. */
  setns(fd: number, nstype: number, name: string): void;
  sethostname(name: string): void;
  setdomainname(name: string): void;
  /** Sets IFF_UP on a network interface. */
  interfaceUp(name: string): void;
}

export function namespaceCalls({ libc, check }: Kernel): NamespaceCalls {
  const unshare = libc.func('unshare', 'int', ['int']);
  const setns = libc.func('setns', 'int', ['int', 'int']);
  const sethostname = libc.func('sethostname', 'int', ['str', 'size_t']);
  const setdomainname = libc.func('setdomainname', 'int', ['str', 'size_t']);
  const socket = libc.func('socket', 'int', ['int', 'int', 'int']);
  const ioctl = libc.func('ioctl', 'int', ['int', 'ulong', 'void *']);
  const close = libc.func('close', 'int', ['int']);

  const ifreq = Buffer.alloc(40);

  return {
    unshare: (flags) => void check('unshare', undefined, unshare, flags),
    setns: (fd, nstype, name) => void check('setns', name, setns, fd, nstype),
    sethostname: (name) =>
      void check('sethostname', name, sethostname, name, Buffer.byteLength(name)),
    setdomainname: (name) =>
      void check('setdomainname', name, setdomainname, name, Buffer.byteLength(name)),
    interfaceUp(name) {
      const fd = check('socket', name, socket, AF_INET, SOCK_DGRAM_CLOEXEC, 0);
      ifreq.fill(0);
      ifreq.write(name, 0, 15, 'utf8');
      check('ioctl', name, ioctl, fd, SIOCGIFFLAGS, ifreq);
      ifreq.writeInt16LE(ifreq.readInt16LE(16) | IFF_UP, 16);
      check('ioctl', name, ioctl, fd, SIOCSIFFLAGS, ifreq);
      check('close', fd, close, fd);
    },
  };
}
