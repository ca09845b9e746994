import { syscallError } from '@pilotlight/scm-rights';
import { O_CLOEXEC } from '../constants.ts';
import type { Kernel } from '../kernel.ts';
import { SYS_pidfd_open } from '../number.ts';
import { createPosixSpawn } from '../posix-spawn.ts';

const MFD_CLOEXEC = 1;
const O_NONBLOCK = 0o4000;
const F_SETFL = 4;
const EAGAIN = 11;
const SEEK_SET = 0;
const POLLIN = 1;
const P_PIDFD = 3;
const WEXITED = 4;
const CLD_EXITED = 1;
const SIGKILL = 9;
const CLOCK_MONOTONIC = 1;
/** The most that poll(2) takes, some 24 days. */
const LONGEST_POLL_MS = 0x7fff_ffff;

/** How a spawned program ended: its status, or the signal that killed it. */
export type SpawnedEnd = { code: number } | { signal: number };

/** Running another program and waiting for it, without an event loop. */
export interface SpawnCalls {
  getpid(): number;
  /** An anonymous file that holds `bytes` and is read from its start; memfd_create(2). */
  memoryFile(name: string, bytes: Uint8Array): number;
  /** A pipe whose reader does not block; pipe(2). */
  pipe(): { reader: number; writer: number };
  /**
   * Starts a program in a process group of its own with default signals and an empty mask;
   * posix_spawn(3), which copies no memory. `stdin` and `output` become its standard streams; it
   * gets no other descriptor that is close-on-exec here.
   *
   * @returns its pid; it is a child of this process, so the number is its own until it is waited for
   */
  spawn(
    path: string,
    args: readonly string[],
    env: readonly string[],
    stdin: number,
    output: number,
  ): number;
  pidfdOpen(pid: number): number;
  /**
   * Waits until the program has ended, its output can be read, or the peer of a socket has hung up;
   * poll(2). Nothing of it is true when the time is over.
   *
   * @param output -1 for none
   * @param timeoutMs `null` for ever
   */
  pollSpawned(
    pidfd: number,
    output: number,
    peer: number,
    timeoutMs: number | null,
  ): { ended: boolean; readable: boolean; hungUp: boolean };
  /** What can be read at once: empty where there is nothing yet, `undefined` at end of file. */
  readAvailable(fd: number, path: string): Uint8Array | undefined;
  /** Reaps a program that has ended; waitid(2). */
  waitSpawned(pidfd: number): SpawnedEnd;
  /** SIGKILL to a process group that `pid` leads and that has not been waited for. */
  killGroup(pid: number): void;
  /** CLOCK_MONOTONIC, in milliseconds. */
  monotonicMs(): number;
}

export function spawnCalls({ libc, integers, check, chunk }: Kernel): SpawnCalls {
  const getpid = libc.func('getpid', 'int', []);
  const memfdCreate = libc.func('memfd_create', 'int', ['str', 'uint']);
  const write = libc.func('write', 'long', ['int', 'void *', 'size_t']);
  const read = libc.func('read', 'long', ['int', 'void *', 'size_t']);
  const lseek = libc.func('lseek', 'long', ['int', 'long', 'int']);
  const pipe2 = libc.func('pipe2', 'int', ['void *', 'int']);
  const fcntl = libc.func('fcntl', 'int', ['int', 'int', 'long']);
  const poll = libc.func('poll', 'int', ['void *', 'ulong', 'int']);
  const waitid = libc.func('waitid', 'int', ['int', 'uint', 'void *', 'int']);
  const kill = libc.func('kill', 'int', ['int', 'int']);
  const clockGettime = libc.func('clock_gettime', 'int', ['int', 'void *']);
  const posixSpawn = createPosixSpawn(libc);

  const pipeSlots = new Int32Array(2);
  const pollSlots = Buffer.alloc(24);
  const siginfo = Buffer.alloc(128);
  const timespec = new BigInt64Array(2);

  return {
    getpid: () => getpid(),
    memoryFile(name, bytes) {
      const fd = check('memfd_create', name, memfdCreate, name, MFD_CLOEXEC);
      for (let rest = bytes; rest.length > 0;) {
        rest = rest.subarray(check('write', name, write, fd, rest, rest.length));
      }
      check('lseek', name, lseek, fd, 0, SEEK_SET);
      return fd;
    },
    pipe() {
      check('pipe2', undefined, pipe2, pipeSlots, O_CLOEXEC);
      const [reader = -1, writer = -1] = pipeSlots;
      check('fcntl', reader, fcntl, reader, F_SETFL, O_NONBLOCK);
      return { reader, writer };
    },
    spawn: (path, args, env, stdin, output) =>
      posixSpawn({ path, args, env, fds: [stdin, output, output], leadsGroup: true }),
    pidfdOpen: (pid) =>
      check('pidfd_open', `pid ${pid}`, integers, SYS_pidfd_open, pid, 0, 0, 0, 0),
    pollSpawned(pidfd, output, peer, timeoutMs) {
      pollSlots.writeInt32LE(pidfd, 0);
      pollSlots.writeUInt32LE(POLLIN, 4);
      pollSlots.writeInt32LE(output, 8);
      pollSlots.writeUInt32LE(POLLIN, 12);
      pollSlots.writeInt32LE(peer, 16);
      // Its end is told unasked; what it may have sent is for later.
      pollSlots.writeUInt32LE(0, 20);
      const time = timeoutMs === null ? -1 : Math.min(Math.ceil(timeoutMs), LONGEST_POLL_MS);
      check('poll', pidfd, poll, pollSlots, 3, time);
      return {
        ended: pollSlots.readUInt16LE(6) !== 0,
        readable: pollSlots.readUInt16LE(14) !== 0,
        hungUp: pollSlots.readUInt16LE(22) !== 0,
      };
    },
    readAvailable(fd, name) {
      const size = read(fd, chunk, chunk.length);
      if (size > 0) return Uint8Array.prototype.slice.call(chunk, 0, size);
      if (size === 0) return undefined;
      const errno = libc.errno();
      if (errno === EAGAIN) return new Uint8Array();
      throw syscallError(errno, 'read', name);
    },
    waitSpawned(pidfd) {
      check('waitid', pidfd, waitid, P_PIDFD, pidfd, siginfo, WEXITED);
      const status = siginfo.readInt32LE(24);
      return siginfo.readInt32LE(8) === CLD_EXITED ? { code: status } : { signal: status };
    },
    killGroup: (pid) => void check('kill', `group ${pid}`, kill, -pid, SIGKILL),
    monotonicMs() {
      check('clock_gettime', undefined, clockGettime, CLOCK_MONOTONIC, timespec);
      return Number(timespec[0]) * 1000 + Number(timespec[1]) / 1e6;
    },
  };
}
