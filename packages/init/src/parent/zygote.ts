import type { FdLike, OwnedFd, WaitStatus } from '@pilotlight/scm-rights';
import type { LaunchPlan } from '../plan/plan-launch.ts';

/** One child to be forked. Descriptors are borrowed: the child gets copies, the caller closes its own. */
export type ForkRequest = {
  /** New namespaces, as clone3(2) takes them. */
  cloneFlags: number;
  fds: {
    stdin: FdLike;
    stdout: FdLike;
    stderr: FdLike;
    /** Stream socket: the config comes from here, then end of file. */
    init: FdLike;
    /** Seqpacket socket: the handshake. */
    sync: FdLike;
    /** Takes the master side of the pty; only with a terminal. */
    console?: FdLike;
    /** What the program gets beside its streams, from 3 on in this order. */
    preserved?: readonly FdLike[];
  };
  /** Directory of a v2 cgroup that the child starts in. */
  cgroup?: FdLike;
  /** Namespaces to join, or processes whose namespaces are. */
  joins?: readonly { fd: FdLike; flags: number; name: string }[];
  /**
   * Who joins them: the child itself, which its config tells how, or a process before it that then
   * forks the child out of them.
   */
  joinedBy?: 'child' | 'entry';
  /** A pid namespace, or a pidfd of a process in it, that the child is born in. Not with an entry, which joins that too. */
  pidNamespace?: FdLike;
  /** Closes the child to ptrace(2) from birth. Not where an unprivileged parent must write its id maps. */
  undumpable?: boolean;
  /** What the entry sets for itself and for the child, which then may not: /proc/PID/oom_score_adj. */
  oomScoreAdj?: number | undefined;
  /**
   * Aborted before the child is there, it rejects the fork; a child that is forked all the same is killed and
   * reaped. For a zygote that does not answer: what this process forks itself takes no time.
   */
  signal?: AbortSignal | undefined;
};

/** A forked child, from its first moment to its reaping. */
export interface ForkedChild {
  /** In this process's pid namespace. It is no handle: use the pidfd. */
  readonly pid: number;
  /** Owned by whoever asked for the fork. */
  readonly pidfd: OwnedFd;
  /** The child has ended and is still a zombie: its pid belongs to nobody else until `reap`. */
  readonly ended: Promise<WaitStatus>;
  /** Lets the kernel forget the child; resolves when it has. Call after `ended`, once. */
  reap(): Promise<void>;
  /** Stops watching; the child lives on, and whoever inherits it reaps it. */
  forget(): void;
}

/** Something that forks: a process of ours, or this very process. Where neither can, something that spawns. */
export interface Zygote {
  /** Why it spawns a second Node for each child where others fork; only where it took the place of one that does. */
  readonly fallbackReason?: string;
  /**
   * Asked before anything of a launch is done.
   *
   * @throws UnsupportedConfigError for what this zygote cannot do and others can
   */
  requireSupport?(plan: LaunchPlan): void;
  fork(request: ForkRequest): Promise<ForkedChild>;
  /** Ends it. Children that run stay alive; nobody here learns their status. */
  close(): Promise<void>;
}
