import { constants } from 'node:fs';
import { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { type FdLike, fdNumber, openFd, type OwnedFd } from '@pilotlight/scm-rights';
import { openPipe } from '../syscall/pipe.ts';

/**
 * What a standard stream of the program is: this process's own (`inherit`), /dev/null (`ignore`),
 * a pipe whose other end is a Node stream here (`pipe`), or a descriptor, which stays the caller's.
 */
export type StdioOption = 'inherit' | 'ignore' | 'pipe' | FdLike;
export type StdioOptions = readonly [stdin: StdioOption, stdout: StdioOption, stderr: StdioOption];

export const defaultStdio: StdioOptions = ['ignore', 'inherit', 'inherit'];

export type Stdio = {
  /** For the child. */
  fds: [FdLike, FdLike, FdLike];
  stdin: Writable | null;
  stdout: Readable | null;
  stderr: Readable | null;
  /** Closes this process's copies of the child's ends; else the pipes never end. */
  closeChildEnds(): void;
  /** Gives everything back after a launch that failed. */
  destroy(): void;
};

/** Opens the standard streams of one launch. @throws SyscallError when descriptors run out; none stay open then */
export function openStdio(options: StdioOptions): Stdio {
  const childEnds: OwnedFd[] = [];
  const streams: (Socket | null)[] = [];
  const fds: FdLike[] = [];
  const closeChildEnds = (): void => {
    for (const end of childEnds.splice(0)) end.close();
  };
  const destroy = (): void => {
    closeChildEnds();
    for (const stream of streams) stream?.destroy();
  };
  try {
    for (const [number, option] of options.entries()) {
      streams.push(null);
      if (option === 'inherit') fds.push(number);
      else if (option === 'ignore') {
        const nullDevice = openFd('/dev/null', constants.O_RDWR);
        childEnds.push(nullDevice);
        fds.push(nullDevice);
      } else if (option === 'pipe') {
        const { reader, writer } = openPipe();
        const [childEnd, ourEnd] = number === 0 ? [reader, writer] : [writer, reader];
        childEnds.push(childEnd);
        fds.push(childEnd);
        streams[number] = new Socket({
          fd: ourEnd.release(),
          readable: number !== 0,
          writable: number === 0,
        });
      } else fds.push(fdNumber(option));
    }
  } catch (error) {
    destroy();
    throw error;
  }
  const [stdin, stdout, stderr] = fds as [FdLike, FdLike, FdLike];
  return {
    fds: [stdin, stdout, stderr],
    stdin: streams[0] ?? null,
    stdout: streams[1] ?? null,
    stderr: streams[2] ?? null,
    closeChildEnds,
    destroy,
  };
}
