import { addAddress, renameLink, setLinkUp } from '../netlink/route.ts';
import type { MovedNetDevice } from '../plan/net-devices.ts';
import type { Syscall } from '../syscall/syscall.ts';
import { attempting } from './step-failure.ts';

/** Gives moved interfaces their last name, the addresses that they had, and sets them up. */
export function setUpNetDevices(sys: Syscall, devices: readonly MovedNetDevice[]): void {
  for (const { hostName, name, template, addresses } of devices) {
    attempting(`set up network device ${hostName}`, {}, () => {
      const index = sys.interfaceIndex(name);
      if (template !== undefined) sys.routeRequest(renameLink(1, index, template), template);
      // Before it is up: its routes come from them then.
      for (const address of addresses) {
        sys.routeRequest(addAddress(1, index, address), `address of ${name}`);
      }
      sys.routeRequest(setLinkUp(1, index), name);
    });
  }
}
