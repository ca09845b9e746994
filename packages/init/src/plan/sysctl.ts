import { statSync } from 'node:fs';
import type { OciSpec } from '../config/oci-spec.ts';
import type { OciNamespaceType } from '../config/spec/namespaces.ts';
import { InvalidConfigError } from '../errors.ts';

/** One kernel parameter: its file below /proc/sys, and what is written there. */
export type PlannedSysctl = {
  /** As the configuration has it, for messages. */
  name: string;
  /** Relative to /proc/sys, with slashes. */
  path: string;
  value: string;
};

/** System V IPC; the rest of /proc/sys/kernel is the whole machine's. */
const ipcPaths = [
  'kernel/msgmax',
  'kernel/msgmnb',
  'kernel/msgmni',
  'kernel/sem',
  'kernel/shmall',
  'kernel/shmmax',
  'kernel/shmmni',
  'kernel/shm_rmid_forced',
  // ipc/ipc_sysctl.c: what checkpoint and restore sets.
  'kernel/msg_next_id',
  'kernel/sem_next_id',
  'kernel/shm_next_id',
];

/**
 * The parameters to set, each of which must belong to a namespace that the container has for
 * itself: any other one is the host's.
 *
 * Names have dots or slashes, as for sysctl(8): the first of them says which one separates, and
 * the other one is part of a name then.
 *
 * @throws InvalidConfigError for a name of the host's, one that is malformed, or one set twice
 */
export function planSysctls(
  spec: Pick<OciSpec, 'linux' | 'domainname'>,
  isOurs: IsOurNamespace = isOurNamespace,
): PlannedSysctl[] {
  const seen = new Map<string, string>();
  return Object.entries(spec.linux?.sysctl ?? {}).map(([name, value]) => {
    const path = sysctlPath(name);
    requireOwn(name, path, spec, isOurs);
    const other = seen.get(path);
    if (other !== undefined) refuse(name, `is the same parameter as ${other}`);
    seen.set(path, name);
    return { name, path, value };
  });
}

/** @throws InvalidConfigError */
export function sysctlPath(name: string): string {
  const separator = /[./]/.exec(name)?.[0];
  const path =
    separator === '/'
      ? name
      : name.replaceAll(/[./]/g, (character) => (character === '.' ? '/' : '.'));
  const parts = path.split('/');
  if (parts.some((part) => part === '' || part === '.' || part === '..')) {
    refuse(name, 'is not the name of a kernel parameter');
  }
  return path;
}

/** Whether the namespace that `path` names is the one that this process is in. */
export type IsOurNamespace = (type: OciNamespaceType, path: string) => boolean;

const linkNames: Readonly<Partial<Record<OciNamespaceType, string>>> = { network: 'net' };

function isOurNamespace(type: OciNamespaceType, path: string): boolean {
  const [own, other] = [`/proc/self/ns/${linkNames[type] ?? type}`, path].map((file) =>
    statSync(file, { throwIfNoEntry: false }),
  );
  return own !== undefined && own.dev === other?.dev && own.ino === other.ino;
}

function requireOwn(
  name: string,
  path: string,
  spec: Pick<OciSpec, 'linux' | 'domainname'>,
  isOurs: IsOurNamespace,
): void {
  const needs = (type: OciNamespaceType): void => {
    const namespace = spec.linux?.namespaces?.find((candidate) => candidate.type === type);
    const joined = namespace?.path ?? '';
    if (namespace !== undefined && (joined === '' || !isOurs(type, joined))) return;
    refuse(
      name,
      `would be set for the host: the container has no ${type} namespace of its own`,
      `Add {"type": "${type}"} to linux.namespaces, or set the parameter on the host.`,
    );
  };
  if (ipcPaths.includes(path) || path.startsWith('fs/mqueue/')) return needs('ipc');
  if (path.startsWith('net/')) return needs('network');
  if (path.startsWith('user/')) return needs('user');
  if (path === 'kernel/hostname') refuse(name, 'belongs to hostname', 'Set hostname instead.');
  if (path === 'kernel/domainname') {
    if (spec.domainname !== undefined && spec.domainname !== '') {
      refuse(name, 'contradicts domainname', 'Keep one of both.');
    }
    return needs('uts');
  }
  refuse(
    name,
    'belongs to no namespace: it would be set for the whole machine',
    'Set it on the host if all of it should change.',
  );
}

function refuse(
  name: string,
  reason: string,
  hint = 'Write it as net.ipv4.ip_forward or net/ipv4/ip_forward; see sysctl(8).',
): never {
  const field = `linux.sysctl.${name}`;
  throw new InvalidConfigError(field, `linux.sysctl: ${JSON.stringify(name)} ${reason}`, { hint });
}
