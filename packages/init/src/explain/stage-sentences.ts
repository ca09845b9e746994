import type { InitConfig, PlannedMount } from '../config/init-config.ts';

/** What a stage does with this config, as a sentence, and where in the configuration it comes from. */
export type StageSentence = { what: string; field?: string };

/** By the names of child/stages.ts; the test of this file misses what is not here. */
const sentences: Readonly<Record<string, (config: InitConfig) => StageSentence>> = {
  descriptors: () => ({ what: 'Put its own descriptors in place and close every other one.' }),
  config: () => ({ what: 'Read the plan from its parent.' }),
  session: ({ oomScoreAdj }) =>
    oomScoreAdj === undefined
      ? { what: 'Begin a session of its own.' }
      : {
          what: `Begin a session of its own, and set oom_score_adj to ${oomScoreAdj}.`,
          field: 'process.oomScoreAdj',
        },
  'time namespace': () => ({
    what: 'Make a time namespace with the clocks of the configuration.',
    field: 'linux.timeOffsets',
  }),
  namespaces: ({ joins }) => ({
    what: `Join ${joins.map(({ name }) => name).join(', ')}.`,
    field: 'linux.namespaces',
  }),
  'user namespace': ({ becomeRoot }) =>
    becomeRoot
      ? { what: 'Become the root of the user namespace.', field: 'linux.namespaces' }
      : { what: 'Close itself to ptrace(2).' },
  'ipc namespace': () => ({
    what: 'Make an IPC namespace as the root of the user namespace.',
    field: 'linux.namespaces',
  }),
  keyring: ({ keyring }) => ({ what: `Join the new session keyring ${keyring}.` }),
  'cgroup namespace': () => ({
    what: 'Make a cgroup namespace whose root is the cgroup of the container.',
    field: 'linux.namespaces',
  }),
  network: () => ({ what: 'Bring up the loopback interface.', field: 'linux.namespaces' }),
  rootfs: ({ rootfs }) => ({ what: `Take ${rootfs.path} as the root.`, field: 'root.path' }),
  mounts: ({ mounts }) => ({ what: `Make ${mounts.length} mounts.`, field: 'mounts' }),
  devices: ({ devices, devLinks }) => ({
    what: `Make ${devices.length} devices and ${devLinks.length} links in /dev.`,
    field: 'linux.devices',
  }),
  hooks: () => ({ what: 'Let the parent run hooks, and wait for it.', field: 'hooks' }),
  createContainer: ({ hooks }) => hookSentence('createContainer', hooks?.createContainer),
  pivot: () => ({ what: 'Make the root the root of the mount namespace; drop the old one.' }),
  'make working directory': ({ cwd }) => ({
    what: `Make ${cwd} where it is missing.`,
    field: 'process.cwd',
  }),
  streams: ({ console }) =>
    console === undefined
      ? { what: 'Make the standard streams fit for the program.' }
      : { what: 'Make the terminal, and send its other side out.', field: 'process.terminal' },
  'read-only root': ({ rootfs }) =>
    rootfs.readonly
      ? { what: 'Make the root read-only.', field: 'root.readonly' }
      : { what: 'Make read-only what had to be filled first.', field: 'mounts' },
  'root propagation': () => ({
    what: 'Let mounts spread from and to the root as the configuration says.',
    field: 'linux.rootfsPropagation',
  }),
  hostname: ({ hostname, domainname }) =>
    hostname === undefined
      ? { what: `Set the domain name to ${domainname}.`, field: 'domainname' }
      : { what: `Set the host name to ${hostname}.`, field: 'hostname' },
  sysctl: ({ sysctls }) => ({
    what: `Set ${sysctls.length} kernel parameters of its namespaces.`,
    field: 'linux.sysctl',
  }),
  'security labels': () => ({
    what: 'Ask for the security label that the program is to have.',
    field: 'process.apparmorProfile',
  }),
  'read-only paths': ({ readonlyPaths }) => ({
    what: `Make ${readonlyPaths.join(', ')} read-only.`,
    field: 'linux.readonlyPaths',
  }),
  'masked paths': ({ maskedPaths }) => ({
    what: `Cover ${maskedPaths.join(', ')}.`,
    field: 'linux.maskedPaths',
  }),
  limits: ({ rlimits }) => ({
    what: `Set ${rlimits.map(({ type, soft, hard }) => `${type} to ${soft} of ${hard}`).join(', ')}.`,
    field: 'process.rlimits',
  }),
  'cpu affinity': () => ({
    what: 'Keep to the CPUs of the configuration.',
    field: 'process.execCPUAffinity',
  }),
  scheduling: () => ({
    what: 'Set how it is scheduled, its personality and its memory policy.',
    field: 'process.scheduler',
  }),
  ready: () => ({ what: 'Say that all is ready, and wait for the gate to open.' }),
  seccomp: () => ({
    what: 'Load the seccomp filter, before the user changes.',
    field: 'linux.seccomp',
  }),
  'working directory': ({ cwd }) => ({ what: `Enter ${cwd}.`, field: 'process.cwd' }),
  credentials: ({ user, noNewPrivileges }) => ({
    what: `Become user ${user.uid}:${user.gid} with the capabilities of the configuration${noNewPrivileges ? ', and never get more' : ''}.`,
    field: 'process.user',
  }),
  startContainer: ({ hooks }) => hookSentence('startContainer', hooks?.startContainer),
  exec: ({ args }) => ({ what: `Run ${JSON.stringify(args[0])}.`, field: 'process.args' }),
};

export function stageSentence(name: string, config: InitConfig): StageSentence {
  return sentences[name]?.(config) ?? { what: `Do what the stage "${name}" is for.` };
}

/** Whether a stage has a sentence of its own. */
export const hasSentence = (name: string): boolean => name in sentences;

/** Of one kind of hooks, whoever runs them. */
export function hookSentence(kind: string, hooks: readonly { path: string }[] = []): StageSentence {
  const paths = hooks.map(({ path }) => path).join(', ');
  return { what: `Run the ${kind} hooks: ${paths}.`, field: `hooks.${kind}` };
}

/** Of one entry of `mounts`, which may become several mounts and links. */
export function mountSentence([first, ...more]: readonly PlannedMount[]): StageSentence {
  if (first === undefined) return { what: 'Mount nothing.' };
  const others = more.filter(({ kind }) => kind !== 'seal').length;
  const inside = others === 0 ? '' : `, with ${others} mounts and links inside`;
  return {
    what: `${actionOf(first)} ${first.destination}${inside}.`,
    field: `mounts[${first.index}]`,
  };
}

function actionOf(mount: PlannedMount): string {
  switch (mount.kind) {
    case 'filesystem':
      return `Mount ${mount.fstype} at`;
    case 'bind':
      return `Bind ${mount.source} at`;
    case 'remount':
      return 'Change the mount at';
    case 'symlink':
      return `Make a link to ${mount.target} at`;
    default:
      return 'Make read-only what is at';
  }
}
