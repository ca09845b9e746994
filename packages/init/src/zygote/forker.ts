import { readFileSync } from 'node:fs';
import type { Libc } from '@pilotlight/scm-rights/libc';
import { syscallError } from '@pilotlight/scm-rights';
import { SYS_clone3 } from '../syscall/number.ts';
import { memoryRanges } from './memory-ranges.ts';

const CLONE_PIDFD = 0x1000;
const CLONE_SIGHAND = 0x800;
const CLONE_PARENT = 0x8000;
const CLONE_CHILD_SETTID = 0x0100_0000;
const CLONE_CLEAR_SIGHAND = 0x1_0000_0000;
const CLONE_INTO_CGROUP = 0x2_0000_0000;
const MADV_DOFORK = 11;
const SIG_BLOCK_ALL = 0xff;
const SIG_SETMASK = 2;
const SIGCHLD = 17n;
const EINVAL = 22;

/** Bytes of struct clone_args up to `cgroup`, Linux 5.7. */
const CLONE_ARGS_SIZE = 88;
const WARM_UP_CALLS = 50;

// Positions in struct clone_args, in 64-bit words; clone(2).
const FLAGS = 0;
const PIDFD = 1;
const CHILD_TID = 2;
const EXIT_SIGNAL = 4;
const CGROUP = 10;

export type ForkOptions = {
  /** Namespaces for clone3(2). */
  cloneFlags: number;
  /** Directory of a v2 cgroup that the child starts in. */
  cgroupFd?: number;
  /** The child becomes a sibling: whoever forked this process reaps it (CLONE_PARENT). */
  cloneParent?: boolean;
  /** What the child does; it must end the process. */
  child: () => never;
};

/** A child that was forked. The caller owns the pidfd, which is close-on-exec. */
export type Fork = { pid: number; pidfd: number };

export type Forker = { fork(options: ForkOptions): Fork };

/**
 * Prepares this process for forking itself and going on in JavaScript in the child.
 *
 * Only for a process that Node was started for with `zygoteFlags`: with other V8 threads about,
 * a child can inherit a lock that nobody will ever release. Node builds V8 so that its heap is
 * left out of a fork (MADV_DONTFORK); it has to be offered again before each one.
 *
 * @throws SyscallError from `fork`: EAGAIN and ENOMEM for want of resources, EPERM for missing
 *   rights, ENOSYS where a seccomp filter hides clone3
 */
export function createForker(libc: Libc): Forker {
  const clone3 = libc.func('syscall', 'long', ['long', 'size_t', 'long']);
  const madvise = libc.func('madvise', 'int', ['size_t', 'size_t', 'int']);
  const sigprocmask = libc.func('sigprocmask', 'int', ['int', 'void *', 'void *']);

  const args = new BigUint64Array(CLONE_ARGS_SIZE / 8);
  const argsAddress = libc.address(args);
  const pidfdSlot = new Int32Array(1);
  args[PIDFD] = libc.address(pidfdSlot);
  const tidAddress = cachedThreadIdAddress(libc);
  args[CHILD_TID] = tidAddress;
  const allSignals = Buffer.alloc(128, SIG_BLOCK_ALL);
  const savedSignals = Buffer.alloc(128);

  let starts: bigint[] = [];
  let lengths: bigint[] = [];
  let heapStart = 0n;
  let heapLength = 0n;
  const readRanges = (): void => {
    const ranges = memoryRanges(readFileSync('/proc/self/maps', 'latin1'));
    let heap = ranges[0]!;
    for (const range of ranges) if (range.length > heap.length) heap = range;
    starts = [];
    lengths = [];
    for (const range of ranges) {
      if (range === heap) continue;
      starts.push(range.start);
      lengths.push(range.length);
    }
    heapStart = heap.start;
    heapLength = heap.length;
  };

  // Between the last madvise and clone3 nothing may be allocated on V8's heap: a page that V8 maps
  // there is missing in the child, which then dies of SIGSEGV, once in some thousand launches. So:
  // no closure, no literal, no destructuring, no arithmetic on large numbers; every operand exists.
  const cloneNow = (): number => {
    for (let index = 0; index < starts.length; index++) {
      if (madvise(starts[index]!, lengths[index]!, MADV_DOFORK) !== 0 && libc.errno() === EINVAL) {
        return STALE_RANGES;
      }
    }
    if (madvise(heapStart, heapLength, MADV_DOFORK) !== 0 && libc.errno() === EINVAL) {
      return STALE_RANGES;
    }
    return clone3(SYS_clone3, argsAddress, CLONE_ARGS_SIZE);
  };

  const cloneWithFreshRanges = (): number => {
    let pid = cloneNow();
    // Something special was mapped since: look again, once.
    if (pid === STALE_RANGES) {
      readRanges();
      pid = cloneNow();
    }
    return pid;
  };

  const setFlags = (flags: number, exitSignal: bigint, cgroupFd: number | undefined): void => {
    const settid = tidAddress === 0n ? 0 : CLONE_CHILD_SETTID;
    const intoCgroup = cgroupFd === undefined ? 0 : CLONE_INTO_CGROUP;
    // Addition, not a bitwise or: some of these flags do not fit 32 bits.
    args[FLAGS] = BigInt(flags + settid + intoCgroup);
    args[EXIT_SIGNAL] = exitSignal;
    args[CGROUP] = BigInt(cgroupFd ?? 0);
  };

  readRanges();
  // Compiled code allocates less than interpreted code: run the sequence with a flag word that
  // clone3 refuses (a shared signal table without shared memory is EINVAL).
  setFlags(CLONE_SIGHAND, SIGCHLD, undefined);
  for (let call = 0; call < WARM_UP_CALLS; call++) cloneWithFreshRanges();

  return {
    fork({ cloneFlags, cgroupFd, cloneParent = false, child }) {
      const flags = cloneFlags + CLONE_PIDFD + CLONE_CLEAR_SIGHAND;
      // A sibling ends with the signal that this process ends with; the kernel wants 0 for it.
      if (cloneParent) setFlags(flags + CLONE_PARENT, 0n, cgroupFd);
      else setFlags(flags, SIGCHLD, cgroupFd);
      pidfdSlot[0] = -1;
      // The child inherits the mask: nothing may interrupt it before it has set itself up.
      sigprocmask(SIG_SETMASK, allSignals, savedSignals);
      const pid = cloneWithFreshRanges();
      if (pid === 0) return child();
      const errno = pid < 0 ? libc.errno() : 0;
      sigprocmask(SIG_SETMASK, savedSignals, null);
      if (pid < 0) {
        throw syscallError(pid === STALE_RANGES ? EINVAL : errno, 'clone3', {
          hint: hintFor(errno),
        });
      }
      return { pid, pidfd: pidfdSlot[0] };
    },
  };
}

/** No result of a system call; see cloneNow. */
const STALE_RANGES = -2;

const EPERM = 1;
const ENOSYS = 38;
const ENOSPC = 28;

function hintFor(errno: number): string {
  if (errno === EPERM) {
    return 'Making namespaces needs CAP_SYS_ADMIN: launch as root. Inside an outer container its profile must allow it too.';
  }
  if (errno === ENOSYS)
    return 'clone3 with cleared signal handlers needs Linux 5.5, launching needs 5.12; inside an outer container its seccomp profile may hide it.';
  if (errno === ENOSPC) return 'A limit on namespaces is reached; see /proc/sys/user.';
  return 'See clone(2), Errors.';
}

/**
 * Where libc keeps the calling thread's id, for the kernel to correct it in the child
 * (CLONE_CHILD_SETTID), as libc's own fork does. Without it musl's raise(3) would signal the parent.
 *
 * @returns 0n where it was not found, which glibc can do without
 */
function cachedThreadIdAddress(libc: Libc): bigint {
  const threadSelf = libc.func<number | bigint>('pthread_self', 'size_t', []);
  const gettid = libc.func('gettid', 'int', []);
  const memcpy = libc.func('memcpy', 'size_t', ['void *', 'size_t', 'size_t']);
  const address = BigInt(threadSelf());
  const copy = Buffer.alloc(2048);
  memcpy(copy, address, copy.length);
  const tid = gettid();
  for (let offset = 0; offset < copy.length; offset += 4) {
    if (copy.readInt32LE(offset) === tid) return address + BigInt(offset);
  }
  return 0n;
}
