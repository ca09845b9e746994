import type { InitConfig } from '../config/init-config.ts';
import { ociState } from '../hooks/oci-state.ts';
import { MOUNT_ATTR_RDONLY } from '../plan/mount-options.ts';
import { CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWTIME } from '../plan/namespaces.ts';
import { AT_FDCWD, AT_RECURSIVE } from '../syscall/constants.ts';
import type { Syscall } from '../syscall/syscall.ts';
import { isSyscallError, type SyscallError } from '@pilotlight/scm-rights';
import { CLOSE_RANGE_CLOEXEC } from '../syscall/constants.ts';
import { activationEnvironment } from './activation.ts';
import type { OwnFds } from './child-fds.ts';
import { attachConsole } from './console.ts';
import { setCpuAffinity } from './cpu-affinity.ts';
import { becomeUser } from './credentials.ts';
import { enterNamespaces } from './enter-namespaces.ts';
import { programEnvironment } from './environment.ts';
import { runHooks } from './hooks.ts';
import { setLimits, setMemoryLimits } from './limits.ts';
import { setUpNetDevices } from './net-devices.ts';
import { findProgram } from './program.ts';
import { makeDevices } from './rootfs/make-devices.ts';
import { makeMounts, sealMounts, type UnsealedMount } from './rootfs/make-mounts.ts';
import { enterRoot } from './rootfs/pivot-root.ts';
import { prepareRoot } from './rootfs/prepare-root.ts';
import { makePathsReadonly, maskPaths } from './rootfs/restrict-paths.ts';
import { setScheduling } from './scheduling.ts';
import { setExecLabels, withKeyLabel } from './security-labels.ts';
import { giveStreamsToUser, makeStreamsBlocking, reopenNullStreams } from './stdio.ts';
import { loadSeccompFilter } from './seccomp.ts';
import { setGroups } from './set-groups.ts';
import { attempting } from './step-failure.ts';
import { ask } from './sync-peer.ts';
import { setSysctls } from './sysctl.ts';
import { enterWorkingDirectory, makeWorkingDirectory } from './working-directory.ts';
import { setOomScoreAdj, writeProcFile } from './write-proc-file.ts';

/** What stages hand on to later ones. */
export type ChildState = {
  sys: Syscall;
  /** Of a child that enters a container, only what ProcessConfig has; stages for that use nothing else. */
  config: InitConfig;
  fds: OwnFds;
  /** The root mount, from the stage `rootfs` to the pivot. */
  root: number;
  enteredCwd: boolean;
  /** Mounts that stay writable from the stage `mounts` to `read-only root`. */
  unsealed?: readonly UnsealedMount[];
};

export type Stage = {
  name: string;
  /** A process that enters a running container goes through this stage, too. */
  alsoOnEntering?: true;
  run(state: ChildState): void;
};

/**
 * What a child does between its fork and its program, in this order. Each stage says why it
 * stands where it does; its name is the `step` of a LaunchError.
 */
export const stages: readonly Stage[] = [
  {
    // First: the child must not share the forking process's terminal.
    name: 'session',
    alsoOnEntering: true,
    run({ sys, config }) {
      sys.setsid();
      sys.umask(0);
      if (config.oomScoreAdj !== undefined) {
        // While /proc is still the host's: the container may have none. And while this process is
        // dumpable: its files there belong to the host's root otherwise.
        setOomScoreAdj(sys, config.oomScoreAdj);
      }
    },
  },
  {
    // Before the namespaces are joined, while /proc is the host's. The clocks are those of the
    // program: execve(2) moves this process into the namespace.
    name: 'time namespace',
    run({ sys, config }) {
      if (config.timeOffsets === undefined) return;
      sys.unshare(CLONE_NEWTIME);
      if (config.timeOffsets === '') return;
      attempting('set the clocks of the time namespace', { hint: timeHint }, () =>
        writeProcFile(sys, '/proc/self/timens_offsets', config.timeOffsets ?? ''),
      );
    },
  },
  {
    // Before anything that acts on a namespace. An entry process has done it where this list is empty.
    name: 'namespaces',
    alsoOnEntering: true,
    run: ({ sys, config, fds }) => enterNamespaces(sys, config.joins, fds.joins),
  },
  {
    // The parent has written the id maps before it sent the config. Before anything is made: files
    // belong to who makes them, and the kernel asks for the rights of the namespace's root.
    name: 'user namespace',
    alsoOnEntering: true,
    run({ sys, config }) {
      if (config.becomeRoot) {
        if (config.canSetGroups) setGroups(sys, []);
        sys.setresgid(0);
        sys.setresuid(0);
      }
      // It still carries the memory of the process it was forked from, and may not be open to
      // ptrace(2). After the clocks and the OOM score: the files of an undumpable process in
      // /proc belong to the host's root.
      sys.setDumpable(false);
    },
  },
  {
    // As the root of a new user namespace: /dev/mqueue belongs to who makes this namespace.
    name: 'ipc namespace',
    run({ sys, config }) {
      if (config.unshareIpc) sys.unshare(CLONE_NEWIPC);
    },
  },
  {
    // Before the user changes: the keyring belongs to who creates it.
    name: 'keyring',
    alsoOnEntering: true,
    run({ sys, config: { keyring, labels } }) {
      if (keyring === undefined) return;
      try {
        withKeyLabel(sys, labels, () => sys.joinSessionKeyring(keyring));
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
      setUpNetDevices(sys, config.netDevices);
    },
  },
  {
    name: 'rootfs',
    run(state) {
      state.root = prepareRoot(state.sys, state.fds, state.config.rootfs);
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
    // After the runtime's own hooks, as the specification has it, and before the pivot: the paths
    // of these are the host's, and they may still change what the container will see.
    name: 'createContainer',
    run({ sys, root, fds, config: { hooks, rootfs } }) {
      if (hooks === undefined || hooks.createContainer.length === 0) return;
      sys.fchdir(root, rootfs.path);
      sys.umask(hookUmask);
      const state = ociState(hooks.state, 'creating', sys.getpid());
      runHooks(sys, hooks.createContainer, state, fds.sync);
      sys.umask(0);
    },
  },
  {
    name: 'pivot',
    run: ({ sys, root, config }) => enterRoot(sys, root, config.rootfs),
  },
  {
    // While the root can be written.
    name: 'make working directory',
    run: ({ sys, config }) => makeWorkingDirectory(sys, config.cwd),
  },
  {
    name: 'streams',
    alsoOnEntering: true,
    run({ sys, config, fds }) {
      if (config.console === undefined || fds.console === undefined) {
        reopenNullStreams(sys);
        makeStreamsBlocking(sys);
      } else attachConsole(sys, fds.console, config.console, !config.entering);
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
    // Before the read-only paths, of which /proc/sys is usually one; after the network is up,
    // whose interfaces have parameters of their own.
    name: 'sysctl',
    run: ({ sys, config }) => setSysctls(sys, config.sysctls),
  },
  {
    // While nothing of /proc is masked. It counts from the next execve(2) on, whoever makes that.
    name: 'security labels',
    alsoOnEntering: true,
    run: ({ sys, config }) => setExecLabels(sys, config.labels),
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
    alsoOnEntering: true,
    run: ({ sys, config }) => setLimits(sys, config.rlimits),
  },
  {
    // The parent has put this process into its cgroup, which bounds what can be asked for.
    name: 'cpu affinity',
    alsoOnEntering: true,
    run({ sys, config }) {
      if (config.cpus !== undefined) setCpuAffinity(sys, config.cpus);
    },
  },
  {
    // While CAP_SYS_NICE is there. As late as that allows: from here on this process itself waits
    // its turn as the program will.
    name: 'scheduling',
    alsoOnEntering: true,
    run: ({ sys, config }) => setScheduling(sys, config.scheduling),
  },
  {
    // The gate. Nothing after it can leave anything behind outside this process, and nothing
    // before it runs the program: the parent records and pins the process before it answers.
    name: 'ready',
    alsoOnEntering: true,
    run: ({ sys, fds }) => ask(sys, fds.sync, 'procReady', 'procRun'),
  },
  {
    // Without no_new_privs it takes CAP_SYS_ADMIN to load a filter, so before the user changes and
    // its capabilities go. After the gate, whose answer the filter could keep away. All that comes
    // later has to pass it: chdir, getcwd, statx, fchown, prctl, setgroups, setresgid, setresuid,
    // capset, openat2, access, umask, close_range, fcntl, rt_sigaction, rt_sigprocmask, read,
    // write, close, execve, exit_group, and what V8 needs memory by: mmap, munmap, mprotect, madvise.
    name: 'seccomp',
    alsoOnEntering: true,
    run({ sys, config, fds }) {
      if (config.seccomp === undefined || config.noNewPrivileges) return;
      // The filter may keep them from being set later.
      setMemoryLimits(sys, config.rlimits);
      loadSeccompFilter(sys, fds.sync, config.seccomp);
    },
  },
  {
    // As root first: an image may keep a directory from its own user's reach that root can enter.
    name: 'working directory',
    alsoOnEntering: true,
    run(state) {
      state.enteredCwd = enterWorkingDirectory(state.sys, state.config.cwd, true);
    },
  },
  {
    name: 'credentials',
    alsoOnEntering: true,
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
    alsoOnEntering: true,
    run({ sys, config, enteredCwd }) {
      if (!enteredCwd) enterWorkingDirectory(sys, config.cwd, false);
    },
  },
  {
    // Last before the program: as its user, with its limits and its capabilities, as runc does.
    name: 'startContainer',
    run({ sys, fds, config: { hooks, umask, rlimits, seccomp, noNewPrivileges } }) {
      if (hooks === undefined || hooks.startContainer.length === 0) return;
      if (seccomp === undefined || noNewPrivileges) setMemoryLimits(sys, rlimits);
      sys.umask(umask);
      const state = ociState(hooks.state, 'created', sys.getpid());
      runHooks(sys, hooks.startContainer, state, fds.sync);
    },
  },
  {
    name: 'exec',
    alsoOnEntering: true,
    run({ sys, config, fds }) {
      const listed = activationEnvironment(sys, config.env, config.activation);
      const env = programEnvironment(sys, listed, config.user.uid);
      const program = findProgram(sys, config.args[0] ?? '', env);
      sys.umask(config.umask);
      // The sync socket is among them: its end of file is what tells the parent of success.
      const firstOfOurs = 3 + fds.preserved;
      sys.closeRange(firstOfOurs, CLOSE_RANGE_CLOEXEC);
      for (let fd = 3; fd < firstOfOurs; fd++) sys.setCloseOnExec(fd, false);
      const run = sys.preparedExecve(program, config.args, env);
      // Last of all: from here on a signal ends the process, and it may get no more memory.
      sys.resetSignals();
      if (config.seccomp === undefined || config.noNewPrivileges) {
        setMemoryLimits(sys, config.rlimits);
      }
      // With no_new_privs any process may load a filter, so nothing but execve(2) has to pass it.
      if (config.seccomp !== undefined && config.noNewPrivileges) {
        loadSeccompFilter(sys, fds.sync, config.seccomp);
      }
      const hint = (error: SyscallError): string | undefined =>
        execHint(error, config.seccomp !== undefined);
      attempting(`run ${JSON.stringify(program)}`, { hint }, run);
    },
  },
];

function timeHint({ code }: SyscallError): string | undefined {
  return code === 'ERANGE'
    ? 'An offset must not set a clock below zero, or further than the kernel can count; see time_namespaces(7).'
    : undefined;
}
/** For hooks that run before the program's own is set. */
const hookUmask = 0o022;

function execHint({ code }: SyscallError, filtered: boolean): string | undefined {
  if (filtered && (code === 'EPERM' || code === 'ENOSYS')) {
    return 'The seccomp profile must allow execve.';
  }
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
