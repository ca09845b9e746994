import type { HostFailure, Probe } from './host-failure.ts';
import type { Host } from './host.ts';

const files = { newuidmap: '/etc/subuid', newgidmap: '/etc/subgid' } as const;

/** Id mappings of more than one id need newuidmap(1), newgidmap(1), and ids of the user's own. */
export const missingSubIds: Probe = (failure, host) => {
  if (host.uid === 0 || !isAboutMappings(failure)) return undefined;
  for (const program of ['newuidmap', 'newgidmap'] as const) {
    if (!host.hasProgram(program)) {
      return `${program} is not installed, which maps more than one id for an unprivileged user: install the package uidmap or shadow-utils.`;
    }
    const file = files[program];
    if (!hasEntry(host, file)) {
      const option = program === 'newuidmap' ? '--add-subuids' : '--add-subgids';
      return `${file} has no ids for the user ${host.userName}: add some, for example with \`usermod ${option} 100000-165535 ${host.userName}\`; see subuid(5).`;
    }
  }
  return undefined;
};

const isAboutMappings = ({ message, path = '' }: HostFailure): boolean =>
  /new[ug]idmap|[ug]id_map/.test(`${message} ${path}`);

function hasEntry(host: Host, file: string): boolean {
  const owners = [host.userName, String(host.uid)];
  return (host.read(file) ?? '').split('\n').some((line) => owners.includes(line.split(':')[0]!));
}
