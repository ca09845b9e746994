import { receiveFileBlocking, sendFileBlocking } from '@pilotlight/scm-rights/libc';
import type { Kernel } from '../kernel.ts';
import { SYS_close_range } from '../number.ts';

const F_SETFD = 2;
const F_GETFL = 3;
const F_SETFL = 4;
const O_NONBLOCK = 0o4000;
const F_DUPFD_CLOEXEC = 1030;

/** Open descriptors: their numbers and flags, and what goes through them. */
export interface DescriptorCalls {
  close(fd: number): void;
  closeRange(first: number, flags: number): void;
  dup3(oldfd: number, newfd: number, flags: number): void;
  /** fcntl(2) F_DUPFD_CLOEXEC: a copy at `least` or above. */
  dupAbove(fd: number, least: number): number;
  setCloseOnExec(fd: number, on: boolean): void;
  /** fcntl(2) F_SETFL without O_NONBLOCK, for everybody who shares the open file. */
  setBlocking(fd: number): void;
  /** Reads until end of file. */
  readAll(fd: number, path: string): Uint8Array;
  /** Reads until end of file, or until it has `maxBytes`. */
  readStart(fd: number, maxBytes: number, path: string): Uint8Array;
  writeAll(fd: number, bytes: Uint8Array, path: string): void;
  /**
   * Sends one packet on a blocking seqpacket socket. With write(2), as runc's child does: it is what
   * a seccomp profile made for that lets pass. SIGPIPE must be blocked or ignored.
   */
  sendPacket(fd: number, bytes: Uint8Array): void;
  /** Receives one packet, with read(2); `undefined` at end of file. */
  receivePacket(fd: number): Uint8Array | undefined;
  /** Sends a descriptor and its name, in the form of runc's SendFile. */
  sendFile(socket: number, name: string, fd: number): void;
  /** Receives a descriptor and its name, in the form of runc's SendFile. */
  receiveFile(socket: number): { name: string; fd: number };
}

export function descriptorCalls({ libc, integers, check, chunk }: Kernel): DescriptorCalls {
  const close = libc.func('close', 'int', ['int']);
  const dup3 = libc.func('dup3', 'int', ['int', 'int', 'int']);
  const fcntl = libc.func('fcntl', 'int', ['int', 'int', 'long']);
  const read = libc.func('read', 'long', ['int', 'void *', 'size_t']);
  const write = libc.func('write', 'long', ['int', 'void *', 'size_t']);

  const readStart: DescriptorCalls['readStart'] = (fd, maxBytes, name) => {
    const parts: Uint8Array[] = [];
    for (let rest = maxBytes; rest > 0;) {
      const size = check('read', name, read, fd, chunk, Math.min(chunk.length, rest));
      if (size === 0) break;
      parts.push(Uint8Array.prototype.slice.call(chunk, 0, size));
      rest -= size;
    }
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  };

  return {
    close: (fd) => void check('close', fd, close, fd),
    closeRange(first, flags) {
      check('close_range', first, integers, SYS_close_range, first, 0xffff_ffff, flags, 0, 0);
    },
    dup3: (oldfd, newfd, flags) => void check('dup3', oldfd, dup3, oldfd, newfd, flags),
    dupAbove: (fd, least) => check('fcntl', fd, fcntl, fd, F_DUPFD_CLOEXEC, least),
    setCloseOnExec: (fd, on) => void check('fcntl', fd, fcntl, fd, F_SETFD, on ? 1 : 0),
    setBlocking(fd) {
      const flags = check('fcntl', fd, fcntl, fd, F_GETFL, 0);
      if ((flags & O_NONBLOCK) !== 0) check('fcntl', fd, fcntl, fd, F_SETFL, flags & ~O_NONBLOCK);
    },
    readAll: (fd, name) => readStart(fd, Infinity, name),
    readStart,
    writeAll(fd, bytes, name) {
      for (let rest = bytes; rest.length > 0;) {
        rest = rest.subarray(check('write', name, write, fd, rest, rest.length));
      }
    },
    sendPacket(fd, bytes) {
      check('write', 'the sync socket', write, fd, bytes, bytes.length);
    },
    receivePacket(fd) {
      const size = check('read', 'the sync socket', read, fd, chunk, chunk.length);
      return size === 0 ? undefined : Uint8Array.prototype.slice.call(chunk, 0, size);
    },
    sendFile: (socketFd, name, fd) => sendFileBlocking(socketFd, name, fd),
    receiveFile(socketFd) {
      const { name, fd } = receiveFileBlocking(socketFd);
      return { name, fd: fd.release() };
    },
  };
}
