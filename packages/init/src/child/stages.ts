import type { InitConfig } from '../config/init-config.ts';
import { MOUNT_ATTR_RDONLY } from '../plan/mount-options.ts';
import { CLONE_NEWCGROUP } from '../plan/namespaces.ts';
import { AT_FDCWD, AT_RECURSIVE, O_WRONLY } from '../syscall/constants.ts';
import type { Syscall } from '../syscall/syscall.ts';
import { isSyscallError, type SyscallError } from '@pilotlight/scm-rights';
import { CLOSE_RANGE_CLOEXEC } from '../syscall/constants.ts';
import type { OwnFds } from './child-fds.ts';
import { attachConsole } from './console.ts';
import { becomeUser } from './credentials.ts';
import { programEnvironment } from './environment.ts';
import { findProgram } from './program.ts';
import { makeDevices } from './rootfs/make-devices.ts';
import { makeMounts, sealMounts, type UnsealedMount } from './rootfs/make-mounts.ts';
import { enterRoot } from './rootfs/pivot-root.ts';
import { prepareRoot } from './rootfs/prepare-root.ts';
import { makePathsReadonly, maskPaths } from './rootfs/restrict-paths.ts';
import { giveStreamsToUser, makeStreamsBlocking, reopenNullStreams } from './stdio.ts';
import { attempting } from './step-failure.ts';
import { ask } from './sync-peer.ts';
import { enterWorkingDirectory, makeWorkingDirectory } from './working-directory.ts';

/** What stages hand on to later ones. */
export type ChildState = {
  sys: Syscall;
  config: InitConfig;
  fds: OwnFds;
  /** The root mount, from the stage `rootfs` to the pivot. */
  root: number;
  enteredCwd: boolean;
  /** Mounts that stay writable from the stage `mounts` to `read-only root`. */
  unsealed?: readonly UnsealedMount[];
};

export type Stage = { name: string; run(state: ChildState): void };

/**
 * What a child does between its fork and its program, in this order. Each stage says why it
 * stands where it does; its name is the `step` of a LaunchError.
 */
export const stages: readonly Stage[] = [
  {
    // First: the child must not share the forking process's terminal, nor be open to ptrace(2)
    // while it still carries that process's memory.
    name: 'session',
    run({ sys, config }) {
      sys.setsid();
      sys.setDumpable(false);
      sys.umask(0);
      if (config.oomScoreAdj !== undefined) {
        // While /proc is still the host's: the container may have none.
        const path = '/proc/self/oom_score_adj';
        const fd = sys.openat2(AT_FDCWD, path, O_WRONLY, 0);
        sys.writeAll(fd, new TextEncoder().encode(String(config.oomScoreAdj)), path);
        sys.close(fd);
      }
    },
  },
  {
    // Before the user changes: the keyring belongs to who creates it.
    name: 'keyring',
    run({ sys, config }) {
      try {
        sys.joinSessionKeyring(config.keyring);
      } catch (error) {
        // A kernel without keyrings has none to leak.
        if (!isSyscallError(error, 'ENOSYS')) throw error;
      }
    },
  },
  {
    // The parent has put this process in its cgroup before it sent the config: the namespace's
    // root is where the process stands now. Before the mounts, which show that root.
    name: 'cgroup namespace',
    run({ sys, config }) {
      if (config.unshareCgroup) sys.unshare(CLONE_NEWCGROUP);
    },
  },
  {
    name: 'network',
    run({ sys, config }) {
      if (config.loopbackUp) attempting('bring up loopback', {}, () => sys.interfaceUp('lo'));
    },
  },
  {
    name: 'rootfs',
    run(state) {
      state.root = prepareRoot(state.sys, state.config.rootfs);
    },
  },
  {
    name: 'mounts',
    run(state) {
      const { sys, root, fds, config } = state;
      state.unsealed = makeMounts(sys, { root, fds, rootfs: config.rootfs }, config.mounts);
    },
  },
  {
    // After the mounts: /dev is usually one of them.
    name: 'devices',
    run: ({ sys, root, config }) => makeDevices(sys, root, config),
  },
  {
    // Hooks see the mounts and can still reach the host: between both.
    name: 'hooks',
    run: ({ sys, fds }) => ask(sys, fds.sync, 'procHooks', 'procHooksDone'),
  },
  {
    name: 'pivot',
    run: ({ sys, root, config }) => enterRoot(sys, root, config.rootfs),
  },
  {
    // While the root can be written: a missing working directory is made here.
    name: 'streams',
    run({ sys, config, fds }) {
      makeWorkingDirectory(sys, config.cwd);
      if (config.console === undefined || fds.console === undefined) {
        reopenNullStreams(sys);
        makeStreamsBlocking(sys);
      } else attachConsole(sys, fds.console, config.console);
    },
  },
  {
    // After the devices, the working directory and the console, which are made inside.
    name: 'read-only root',
    run({ sys, config, unsealed }) {
      sealMounts(sys, unsealed ?? []);
      if (!config.rootfs.readonly) return;
      sys.mountSetattr(AT_FDCWD, '/', 0, { set: MOUNT_ATTR_RDONLY, clear: 0, propagation: 0 });
    },
  },
  {
    name: 'hostname',
    run({ sys, config }) {
      if (config.hostname !== undefined) sys.sethostname(config.hostname);
      if (config.domainname !== undefined) sys.setdomainname(config.domainname);
    },
  },
  {
    name: 'read-only paths',
    run: ({ sys, config }) => makePathsReadonly(sys, config.readonlyPaths),
  },
  {
    // After the read-only paths: a mask inside one of them lies on top of its mount.
    name: 'masked paths',
    run: ({ sys, config }) => maskPaths(sys, config.maskedPaths),
  },
  {
    // After the pivot, which refuses a shared root, and after the last mount: what is unbindable
    // cannot be cloned to make a path in it read-only.
    name: 'root propagation',
    run({ sys, config: { rootfs } }) {
      if (rootfs.ownPropagation === undefined) return;
      const { propagation, recursive } = rootfs.ownPropagation;
      const change = { set: 0, clear: 0, propagation };
      sys.mountSetattr(AT_FDCWD, '/', recursive ? AT_RECURSIVE : 0, change);
    },
  },
  {
    // While CAP_SYS_RESOURCE is there to raise hard limits.
    name: 'limits',
    run({ sys, config }) {
      for (const { type, resource, soft, hard } of config.rlimits) {
        attempting(`set ${type}`, { hint: limitHint }, () =>
          sys.prlimit(resource, BigInt(soft), BigInt(hard)),
        );
      }
    },
  },
  {
    // The gate. Nothing after it can leave anything behind outside this process, and nothing
    // before it runs the program: the parent records and pins the process before it answers.
    name: 'ready',
    run: ({ sys, fds }) => ask(sys, fds.sync, 'procReady', 'procRun'),
  },
  {
    // As root first: an image may keep a directory from its own user's reach that root can enter.
    name: 'working directory',
    run(state) {
      state.enteredCwd = enterWorkingDirectory(state.sys, state.config.cwd, true);
    },
  },
  {
    name: 'credentials',
    run({ sys, config }) {
      giveStreamsToUser(sys, config.user.uid);
      becomeUser(sys, config);
      // After the user changed: setresuid(2) would not be hindered, but file capabilities of the
      // program must not count, whoever runs it.
      if (config.noNewPrivileges) sys.setNoNewPrivileges();
    },
  },
  {
    name: 'working directory',
    run({ sys, config, enteredCwd }) {
      if (!enteredCwd) enterWorkingDirectory(sys, config.cwd, false);
    },
  },
  {
    name: 'exec',
    run({ sys, config, fds }) {
      const env = programEnvironment(sys, config.env, config.user.uid);
      const program = findProgram(sys, config.args[0] ?? '', env);
      sys.umask(config.umask);
      // The sync socket is among them: its end of file is what tells the parent of success.
      const firstOfOurs = 3 + fds.preserved;
      sys.closeRange(firstOfOurs, CLOSE_RANGE_CLOEXEC);
      for (let fd = 3; fd < firstOfOurs; fd++) sys.setCloseOnExec(fd, false);
      // Last of all: from here on a signal ends the process.
      sys.resetSignals();
      attempting(`run ${JSON.stringify(program)}`, { hint: execHint }, () =>
        sys.execve(program, config.args, env),
      );
    },
  },
];

function limitHint({ code }: SyscallError): string | undefined {
  return code === 'EPERM'
    ? 'Raising a hard limit needs CAP_SYS_RESOURCE, and open files are bounded by /proc/sys/fs/nr_open; see setrlimit(2).'
    : undefined;
}

function execHint({ code }: SyscallError): string | undefined {
  switch (code) {
    case 'ENOEXEC':
      return 'The file is no program for this machine: neither an ELF file of its kind nor a script that starts with "#!".';
    case 'ENOENT':
      return 'The file is there, but the interpreter that it names is not: the loader of a dynamic program, or what follows "#!".';
    case 'E2BIG':
      return 'Shorten process.args and process.env; see execve(2), Limits.';
    default:
      return undefined;
  }
}
