import { closeAll } from '@pilotlight/scm-rights';
import { MonitorError, NotFoundError } from '../errors.ts';
import type { Monitor } from './monitor.ts';
import { serveLaunch } from './serve-launch.ts';
import type { ClientMessage, MonitorMessage } from './wire/client-protocol.ts';
import { type Packets, ProtocolError, type Received } from './wire/packets.ts';
import { toWireError } from './wire/wire-error.ts';

/** The monitor's end of a connection. */
export type ClientConnection = Packets<ClientMessage, MonitorMessage>;

/** Answers one client until it hangs up. Never rejects. */
export async function serveClient(monitor: Monitor, client: ClientConnection): Promise<void> {
  try {
    await client.send({ type: 'hello', protocol: 1, pid: process.pid });
    for (;;) {
      const received = await client.receive();
      if (received === undefined) return;
      try {
        await answerClient(monitor, client, received);
      } catch (error) {
        await client.send({ type: 'failed', error: toWireError(error) });
      } finally {
        // Those that were taken over are gone from the list.
        closeAll(received.fds);
      }
    }
  } catch {
    // What it says cannot be understood, or it cannot be answered: it sees that we hang up.
  } finally {
    client.close();
  }
}

async function answerClient(
  monitor: Monitor,
  client: ClientConnection,
  received: Received<ClientMessage>,
): Promise<void> {
  const { message, fds } = received;
  switch (message.type) {
    case 'info':
      await client.send({ type: 'info', ...monitor.info() });
      return;
    case 'adopt': {
      if (monitor.isLeaving) return client.close();
      const { key, roles } = message;
      if (fds.length !== roles.length) throw new ProtocolError('roles and descriptors differ');
      const held = roles.map((role, index) => ({ role, fd: fds[index]! }));
      fds.length = 0;
      await monitor.keep(key, held);
      await client.send({ type: 'adopted' });
      return;
    }
    case 'attend':
      await monitor.attend(message.key);
      await client.send({ type: 'attending' });
      return;
    case 'settle':
      await client.send({ type: 'settled', state: await monitor.settle(message.key) });
      return;
    case 'console': {
      const master = monitor.held(message.key, 'console');
      if (master === undefined) throw new NotFoundError(message.key, monitor.root, []);
      await client.send({ type: 'console' }, [master]);
      return;
    }
    case 'leave':
      if (await monitor.mayLeave()) {
        await client.send({ type: 'leaving' });
        monitor.leave({ tidy: false });
      } else await client.send({ type: 'busy' });
      return;
    case 'launch':
      if (monitor.isLeaving) return client.close();
      await serveLaunch(monitor, client, message, fds);
      return;
    case 'continue':
    case 'go':
    case 'abort':
      throw new MonitorError(monitor.root, `it has no launch for this client to ${message.type}`);
  }
}
