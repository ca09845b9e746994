import { syscallError } from '@pilotlight/scm-rights';
import type { Kernel } from '../kernel.ts';
import { SYS_getdents64 } from '../number.ts';

const AT_EMPTY_PATH = 0x1000;
const STATX_UID_GID = 0x18;
const PATH_MAX = 4096;
/** The most that one sendfile(2) moves. */
const MAX_TRANSFER = 0x7fff_f000;
/** struct linux_dirent64: inode, offset, length of the record, type, name. */
const RECORD_LENGTH_AT = 16;
const NAME_AT = 19;
const EILSEQ = 84;

export type DirectoryEntry = { name: string };

/** What a directory holds, and making the like of it elsewhere. */
export interface TreeCalls {
  /**
   * The names of all entries but `.` and `..`, in the kernel's order; getdents64(2).
   *
   * @throws SyscallError; EILSEQ for a name that is no UTF-8 text, which could not be named again
   */
  readDirectory(fd: number, path: string): string[];
  /** The text of a symbolic link; EINVAL where there is another kind of file. */
  readlinkat(dirfd: number, name: string): string;
  unlinkat(dirfd: number, name: string): void;
  /** Of the very file, also through an O_PATH descriptor. */
  ownerOf(fd: number, path: string): { uid: number; gid: number };
  /** fchownat(2) of the very file, also through an O_PATH descriptor. */
  chownFile(fd: number, uid: number, gid: number, path: string): void;
  /** fchmod(2); not through an O_PATH descriptor. */
  chmodFile(fd: number, mode: number, path: string): void;
  /** Everything from the offset of `from` on, appended at that of `to`; sendfile(2). */
  copyContents(from: number, to: number, path: string): void;
}

export function treeCalls({ libc, integers, check, chunk }: Kernel): TreeCalls {
  const readlinkat = libc.func('readlinkat', 'long', ['int', 'str', 'void *', 'size_t']);
  const unlinkat = libc.func('unlinkat', 'int', ['int', 'str', 'int']);
  const statx = libc.func('statx', 'int', ['int', 'str', 'int', 'uint', 'void *']);
  const fchownat = libc.func('fchownat', 'int', ['int', 'str', 'uint', 'uint', 'int']);
  const fchmod = libc.func('fchmod', 'int', ['int', 'uint']);
  const sendfile = libc.func('sendfile', 'long', ['int', 'int', 'void *', 'size_t']);

  const chunkAddress = libc.address(chunk);
  const statxBuffer = Buffer.alloc(256);
  const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

  const nameIn = (start: number, end: number, path: string): string => {
    const nul = chunk.indexOf(0, start);
    try {
      return utf8.decode(chunk.subarray(start, Math.min(nul, end)));
    } catch {
      throw syscallError(EILSEQ, 'getdents64', {
        path,
        hint: 'A name in this directory is no UTF-8 text; rename it in the image.',
      });
    }
  };

  return {
    readDirectory(fd, path) {
      const names: string[] = [];
      for (;;) {
        const size = check(
          'getdents64',
          path,
          integers,
          SYS_getdents64,
          fd,
          chunkAddress,
          chunk.length,
          0,
          0,
        );
        if (size === 0) return names;
        for (let at = 0; at < size;) {
          const next = at + chunk.readUInt16LE(at + RECORD_LENGTH_AT);
          const name = nameIn(at + NAME_AT, next, path);
          if (name !== '.' && name !== '..') names.push(name);
          at = next;
        }
      }
    },
    readlinkat(dirfd, name) {
      const size = check('readlinkat', name, readlinkat, dirfd, name, chunk, PATH_MAX);
      return chunk.toString('utf8', 0, size);
    },
    unlinkat: (dirfd, name) => void check('unlinkat', name, unlinkat, dirfd, name, 0),
    ownerOf(fd, path) {
      check('statx', path, statx, fd, '', AT_EMPTY_PATH, STATX_UID_GID, statxBuffer);
      return { uid: statxBuffer.readUInt32LE(20), gid: statxBuffer.readUInt32LE(24) };
    },
    chownFile: (fd, uid, gid, path) =>
      void check('fchownat', path, fchownat, fd, '', uid, gid, AT_EMPTY_PATH),
    chmodFile: (fd, mode, path) => void check('fchmod', path, fchmod, fd, mode),
    copyContents(from, to, path) {
      while (check('sendfile', path, sendfile, to, from, null, MAX_TRANSFER) > 0);
    },
  };
}
