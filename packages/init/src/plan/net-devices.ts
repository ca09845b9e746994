import type { OciSpec } from '../config/oci-spec.ts';
import { InvalidConfigError } from '../errors.ts';
import type { InterfaceAddress } from '../netlink/route.ts';

/** An interface of the host to be moved, and its name in the container; that may hold `%d`. */
export type NetDeviceMove = { hostName: string; name: string };

export type NetDevicesPlan = {
  /** A network namespace that is joined by path; `undefined` for the child's new one. */
  namespacePath: string | undefined;
  moves: NetDeviceMove[];
};

/** An interface that has been moved into the container's network namespace, for the child to finish. */
export type MovedNetDevice = {
  /** What messages call it. */
  hostName: string;
  /** Its name now. */
  name: string;
  /** A name with `%d` that it is to have instead. */
  template: string | undefined;
  addresses: InterfaceAddress[];
};

/**
 * The interfaces that move into the container.
 *
 * @throws InvalidConfigError without a network namespace, for the loopback interface, and for a name
 *   that two interfaces should have
 */
export function planNetDevices(spec: Pick<OciSpec, 'linux'>): NetDevicesPlan | undefined {
  const devices = Object.entries(spec.linux?.netDevices ?? {});
  if (devices.length === 0) return undefined;
  const network = spec.linux?.namespaces?.find(({ type }) => type === 'network');
  if (network === undefined) {
    throw new InvalidConfigError(
      'linux.netDevices',
      'linux.netDevices: there is no network namespace to move interfaces into',
      { hint: 'Add {"type": "network"} to linux.namespaces.' },
    );
  }
  const owners = new Map<string, string>();
  const moves = devices.map(([hostName, { name }]) => {
    const wanted = name === undefined || name === '' ? hostName : name;
    if (hostName === 'lo' || wanted === 'lo') {
      refuse(hostName, 'every network namespace has a loopback interface of its own');
    }
    const other = owners.get(wanted);
    if (other !== undefined && !wanted.includes('%d')) {
      refuse(hostName, `${other} will have the name ${wanted} as well`);
    }
    owners.set(wanted, hostName);
    return { hostName, name: wanted };
  });
  const path = network.path ?? '';
  return { namespacePath: path === '' ? undefined : path, moves };
}

function refuse(hostName: string, reason: string): never {
  const field = `linux.netDevices.${hostName}`;
  throw new InvalidConfigError(field, `${field}: ${reason}`, {
    hint: 'Give each interface a name of its own, or one that ends in %d.',
  });
}
