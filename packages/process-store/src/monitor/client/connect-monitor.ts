import { connectSeqpacket, isSyscallError, type SeqpacketSocket } from '@pilotlight/scm-rights';
import { openDirectory } from '../../disk/open-directory.ts';
import { errnoCode } from '../../errors.ts';
import type { StoreLayout } from '../../layout.ts';
import {
  type ClientMessage,
  type MonitorMessage,
  monitorMessageSchema,
} from '../wire/client-protocol.ts';
import { Packets } from '../wire/packets.ts';

/** A client's end of a connection to the monitor. */
export type MonitorConnection = Packets<MonitorMessage, ClientMessage>;

const SOCKET_NAME = 'monitor.sock';

/** The path of the monitor's socket by an open directory: unix(7) allows only 107 bytes. */
export function socketAddress(rootFd: number): string {
  return `/proc/self/fd/${rootFd}/${SOCKET_NAME}`;
}

/**
 * Connects to the monitor of a root; undefined if none listens there, or the one that did is leaving. The caller closes it.
 *
 * Throws ProtocolError, SyscallError, the signal's reason.
 */
export async function connectMonitor(
  layout: StoreLayout,
  signal?: AbortSignal,
): Promise<MonitorConnection | undefined> {
  const socket = await connectSocket(layout, signal);
  if (socket === undefined) return undefined;
  const connection: MonitorConnection = new Packets(socket, monitorMessageSchema);
  try {
    const received = await connection.receive({ signal });
    if (received?.message.type === 'hello') return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
  connection.close();
  return undefined;
}

async function connectSocket(
  layout: StoreLayout,
  signal: AbortSignal | undefined,
): Promise<SeqpacketSocket | undefined> {
  let directory;
  try {
    directory = await openDirectory(layout.root);
  } catch (error) {
    if (errnoCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return await connectSeqpacket(socketAddress(directory.fd), { signal });
  } catch (error) {
    if (isSyscallError(error, 'ENOENT') || isSyscallError(error, 'ECONNREFUSED')) return undefined;
    throw error;
  } finally {
    await directory.close();
  }
}
