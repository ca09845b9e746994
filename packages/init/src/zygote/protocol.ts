import type { ChildFds } from '../child/child-fds.ts';
import type { NamespaceToJoin } from '../config/init-config.ts';
import type { FailureReport } from '../child/step-failure.ts';

/**
 * What a parent and its zygote say to each other.
 *
 *     parent                                    zygote
 *                            <──────────────    ready                        (event stream)
 *     fork + descriptors     ──────────────▶                                 (packet socket)
 *                            <──────────────    the pidfd                    (packet socket)
 *                            <──────────────    forked, or failed            (event stream)
 *                            <──────────────    exited, still a zombie       (event stream)
 *     reap                   ──────────────▶                                 (packet socket)
 *                            <──────────────    reaped                       (event stream)
 *     forget, in place of it ──────────────▶     reaps whenever it ends        (packet socket)
 *
 * Packets carry descriptors, which only recvmsg(2) gets; the event stream is one that Node's event
 * loop reads by itself, and it announces what waits on the packet socket. Both ends come from the
 * same build. The zygote ends when the packet socket does.
 */

/** Descriptor numbers in the zygote. */
export const REQUEST_FD = 3;
export const EVENT_FD = 4;

/** What a zygote is told at its start, as JSON on its command line. */
export type ZygoteSettings = {
  /** `full` also collects garbage and compiles in the child; see self-test.ts. */
  selfTest: 'quick' | 'full';
  /** Go over to a read-only clone of the binary first; see clone-binary.ts. */
  cloneBinary: boolean;
  /** How long a child may be stuck, in milliseconds; see watchdog.ts. */
  watchdogMs: number;
};

export const defaultSettings: ZygoteSettings = {
  selfTest: 'quick',
  cloneBinary: false,
  watchdogMs: 600_000,
};

/** What a descriptor of a fork request is for. `preserved` may come several times, in order. */
export type DescriptorRole =
  | 'stdin'
  | 'stdout'
  | 'stderr'
  | 'init'
  | 'sync'
  | 'console'
  | 'preserved'
  /** A namespace to join, or a process whose namespaces are; several, in order. */
  | 'join'
  /** A pid namespace, or a process in it, that the child is to be born in. */
  | 'pidNamespace'
  /** The directory of the cgroup to start in. */
  | 'cgroup';

export type ForkRequestPacket = {
  op: 'fork';
  token: number;
  cloneFlags: number;
  /** What the descriptors of this packet are, in their order. */
  roles: DescriptorRole[];
  /** Present where an entry process joins namespaces first: what the `join` descriptors are. */
  entry?: NamespaceToJoin[] | undefined;
  /** The child is closed to ptrace(2) from birth. Not where an unprivileged parent must write its id maps. */
  undumpable: boolean;
  /** Written by the entry process, see EntryRequest. */
  oomScoreAdj?: number | undefined;
};
export type ReapRequestPacket = { op: 'reap'; token: number };
/** The parent no longer wants to know of a child. */
export type ForgetRequestPacket = { op: 'forget'; token: number };
export type ZygoteRequest = ForkRequestPacket | ReapRequestPacket | ForgetRequestPacket;

/** With as many descriptors and namespaces as there can be, whose names are cut to `maxNameLength`. */
export const maxRequestBytes: number = 64 * 1024;
/** What a namespace is called in messages; its path may be longer. */
export const maxNameLength = 512;

export type ZygoteEvent =
  | { event: 'ready' }
  /** The self-test failed: this Node cannot be forked. */
  | { event: 'unfit'; reason: string }
  | { event: 'forked'; token: number; pid: number }
  /** In the form of procError. */
  | { event: 'failed'; token: number; failure: FailureReport }
  /** `status` is the raw wait status. */
  | { event: 'exited'; token: number; status: number }
  | { event: 'reaped'; token: number };

/** The descriptors of a fork request, by what they are for. */
export type ForkDescriptors = {
  child: ChildFds;
  cgroup: number | undefined;
  pidNamespace: number | undefined;
};

export function sortDescriptors(
  roles: readonly DescriptorRole[],
  fds: readonly number[],
): ForkDescriptors {
  const all = (role: DescriptorRole): number[] =>
    fds.filter((_, position) => roles[position] === role);
  const one = (role: DescriptorRole): number | undefined => all(role)[0];
  const needed = (role: DescriptorRole): number => {
    const fd = one(role);
    if (fd === undefined) throw new Error(`a fork request came without its ${role}`);
    return fd;
  };
  const console = one('console');
  return {
    child: {
      stdin: needed('stdin'),
      stdout: needed('stdout'),
      stderr: needed('stderr'),
      init: needed('init'),
      sync: needed('sync'),
      ...(console === undefined ? {} : { console }),
      preserved: all('preserved'),
      joins: all('join'),
    },
    cgroup: one('cgroup'),
    pidNamespace: one('pidNamespace'),
  };
}
