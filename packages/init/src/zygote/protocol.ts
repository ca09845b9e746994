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
 *
 * Packets carry descriptors, which only recvmsg(2) gets; the event stream is one that Node's event
 * loop reads by itself, and it announces what waits on the packet socket. Both ends come from the
 * same build. The zygote ends when the packet socket does.
 */

/** Descriptor numbers in the zygote. */
export const REQUEST_FD = 3;
export const EVENT_FD = 4;

export const childFdRoles = ['stdin', 'stdout', 'stderr', 'init', 'sync', 'console'] as const;
export type ChildFdRole = (typeof childFdRoles)[number];

export type ForkRequestPacket = {
  op: 'fork';
  token: number;
  cloneFlags: number;
  /** What the descriptors of this packet are, in their order. `cgroup` is the directory to start in. */
  roles: (ChildFdRole | 'cgroup')[];
};
export type ReapRequestPacket = { op: 'reap'; token: number };
export type ZygoteRequest = ForkRequestPacket | ReapRequestPacket;

export type ZygoteEvent =
  | { event: 'ready' }
  /** The self-test failed: this Node cannot be forked. */
  | { event: 'unfit'; reason: string }
  | { event: 'forked'; token: number; pid: number }
  | { event: 'failed'; token: number; errno: number; syscall: string; hint: string | undefined }
  /** `status` is the raw wait status. */
  | { event: 'exited'; token: number; status: number }
  | { event: 'reaped'; token: number };
