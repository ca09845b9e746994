import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { TerminalError } from '../errors.ts';

/** A connection to whoever takes the terminal; disposal closes our side. */
export interface ConsoleSocket extends Disposable {
  /** Of a connected Unix stream socket. Open until disposal. */
  readonly fd: number;
}

/** Connects to the socket at `path`. Throws TerminalError. */
export async function connectConsoleSocket(path: string): Promise<ConsoleSocket> {
  const socket = connect({ path });
  try {
    await once(socket, 'connect');
  } catch (cause) {
    socket.destroy();
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new TerminalError(
      `connect to the console socket ${path}: ${code}`,
      'Something must listen there, on a stream socket, before the launch.',
      cause,
    );
  }
  // It may well be closed by the peer when it has what it wanted.
  socket.on('error', () => undefined);
  return { fd: descriptorOf(socket), [Symbol.dispose]: () => void socket.destroy() };
}

/** Node connects and has no public name for the number; its handle has had this one since its first releases. */
function descriptorOf(socket: Socket): number {
  return (socket as unknown as { _handle: { fd: number } })._handle.fd;
}
