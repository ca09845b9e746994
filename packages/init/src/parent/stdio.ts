import { constants } from 'node:fs';
import { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { type FdLike, fdNumber, openFd, type OwnedFd } from '@pilotlight/scm-rights';
import { openPipe } from '../syscall/pipe.ts';
import { OutputBudget, OutputStream } from './output-stream.ts';

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
  /** What both outputs may deliver; undefined without a limit. */
  budget: OutputBudget | undefined;
  /** For a program that has ended: takes what is left in the pipes into memory, and closes them. */
  drain(): Promise<void>;
  /** Closes this process's copies of the child's ends; else the pipes never end. */
  closeChildEnds(): void;
  /** Gives everything back: after a launch that failed, or when the handle is disposed of. */
  destroy(): void;
};

/** Opens the standard streams of one launch. @throws SyscallError when descriptors run out; none stay open then */
export function openStdio(options: StdioOptions, maxOutputBytes?: number): Stdio {
  const childEnds: OwnedFd[] = [];
  const budget = maxOutputBytes === undefined ? undefined : new OutputBudget(maxOutputBytes);
  let stdin: Socket | null = null;
  const outputs: [OutputStream | null, OutputStream | null] = [null, null];
  const fds: FdLike[] = [];
  const closeChildEnds = (): void => {
    for (const end of childEnds.splice(0)) end.close();
  };
  const destroy = (): void => {
    closeChildEnds();
    stdin?.destroy();
    for (const stream of outputs) stream?.destroy();
  };
  try {
    for (const [number, option] of options.entries()) {
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
        const socket = new Socket({
          fd: ourEnd.release(),
          readable: number !== 0,
          writable: number === 0,
        });
        if (number === 0) stdin = socket;
        else outputs[number === 1 ? 0 : 1] = new OutputStream(socket, budget);
      } else fds.push(fdNumber(option));
    }
  } catch (error) {
    destroy();
    throw error;
  }
  const [stdout, stderr] = outputs;
  return {
    fds: fds as [FdLike, FdLike, FdLike],
    stdin,
    stdout,
    stderr,
    budget,
    async drain() {
      await Promise.all([stdout?.drain(), stderr?.drain()]);
    },
    closeChildEnds,
    destroy,
  };
}
