import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { isSyscallError, openFd } from '@pilotlight/scm-rights';
import { causedBy, LaunchError } from '../errors.ts';
import { getAddresses, getLink, keptAddresses, linkIndex, moveLink } from '../netlink/route.ts';
import type { MovedNetDevice, NetDeviceMove, NetDevicesPlan } from '../plan/net-devices.ts';
import { RouteSocket } from '../syscall/route-socket.ts';

export const NET_DEVICES_STEP = 'net devices';

/**
 * Moves interfaces of this process's network namespace into the container's; a move takes them down
 * and loses their addresses, which the child gives them again.
 *
 * With the namespace the kernel takes back what is hardware and removes what is not.
 *
 * @param pid of a child that nobody has reaped: it stands in its new namespace
 * @param moved gets each as soon as it is there, so that it is known after a failure, too
 * @throws LaunchError
 */
export async function moveNetDevices(
  plan: NetDevicesPlan,
  pid: number,
  moved: MovedNetDevice[],
): Promise<void> {
  const path = plan.namespacePath ?? `/proc/${pid}/ns/net`;
  let attempt = `open network namespace ${path}`;
  try {
    using namespace = openFd(path, constants.O_RDONLY);
    using socket = new RouteSocket();
    for (const move of plan.moves) {
      attempt = `move network device ${move.hostName}`;
      moved.push(await moveNetDevice(socket, namespace.fd, move));
    }
  } catch (error) {
    throw moveFailure(attempt, error);
  }
}

async function moveNetDevice(
  socket: RouteSocket,
  namespaceFd: number,
  { hostName, name }: NetDeviceMove,
): Promise<MovedNetDevice> {
  const index = linkIndex(
    await socket.request(hostName, (sequence) => getLink(sequence, hostName)),
  );
  // Before the move: it takes the addresses away.
  const addresses = keptAddresses(await socket.list(hostName, getAddresses), index);
  const template = name.includes('%d') ? name : undefined;
  // Only the child can see which number it gets; until then it needs a name to be found by.
  const firstName = template === undefined ? name : `pl${randomBytes(6).toString('hex')}`;
  await socket.request(hostName, (sequence) => moveLink(sequence, index, namespaceFd, firstName));
  return { hostName, name: firstName, template, addresses };
}

function moveFailure(attempt: string, cause: unknown): unknown {
  if (!isSyscallError(cause)) return cause;
  return new LaunchError({
    step: NET_DEVICES_STEP,
    message: `${attempt}: ${cause.message}`,
    ...causedBy(cause),
    ...(cause.path === undefined ? {} : { path: cause.path }),
    hint: hintFor(cause.code) ?? cause.hint ?? 'See rtnetlink(7).',
  });
}

function hintFor(code: string): string | undefined {
  switch (code) {
    case 'ENODEV':
      return 'The launching process’s network namespace has no such interface; `ip link` lists them.';
    case 'EPERM':
      return 'Moving an interface needs CAP_NET_ADMIN in both network namespaces: launch as root.';
    case 'EEXIST':
      return 'The container’s network namespace has an interface of this name already: give another name, or one that ends in %d.';
    case 'EINVAL':
      return 'Some interfaces, such as bridges’ and tunnels’ fallback ones, cannot leave their namespace.';
    default:
      return undefined;
  }
}
