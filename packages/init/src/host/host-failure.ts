import type { Host } from './host.ts';

/** What is known of a failed launch before the host is looked at. */
export type HostFailure = {
  step: string;
  message: string;
  syscall?: string | undefined;
  errnoCode?: string | undefined;
  path?: string | undefined;
  /** The launch makes a user namespace. */
  newUserNamespace?: boolean;
};

/** Finds out whether one thing of the host explains a failure; the hint then, else undefined. */
export type Probe = (failure: HostFailure, host: Host) => string | undefined;

const namespaceCalls = ['clone', 'clone3', 'unshare', 'setns'];

export const makesNamespaces = ({ syscall = '' }: HostFailure): boolean =>
  namespaceCalls.includes(syscall);

const mountCalls = [
  'mount',
  'umount2',
  'pivot_root',
  'open_tree',
  'move_mount',
  'fsopen',
  'fsconfig',
  'fsmount',
  'mount_setattr',
];

export const mounts = ({ syscall = '' }: HostFailure): boolean => mountCalls.includes(syscall);

export const denied = ({ errnoCode }: HostFailure): boolean =>
  errnoCode === 'EPERM' || errnoCode === 'EACCES';
