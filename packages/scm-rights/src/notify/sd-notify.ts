import { DatagramSocket } from '../datagram/datagram-socket.ts';
import { EnvironmentError, InvalidArgumentError } from '../errors.ts';
import type { FdLike } from '../fd-like.ts';
import type { Readiness } from '../readiness/readiness.ts';

export interface SdNotifyOptions {
  /** Descriptors to go along, at most 253; they remain the caller's. */
  fds?: readonly FdLike[];
  /** Where the manager listens; `$NOTIFY_SOCKET` by default. */
  socket?: string | undefined;
  signal?: AbortSignal | undefined;
  readiness?: Readiness;
}

/**
 * Tells the service manager something, as sd_notify(3) does: one datagram with a line for each field, such as
 * `{ READY: 1, STATUS: 'listening' }`. Resolves to false, having done nothing, if no manager asked to be told.
 *
 * Throws InvalidArgumentError (a name or value that would not be one line), EnvironmentError (the address is none that unix(7)
 * knows), TooManyFdsError, SyscallError (ECONNREFUSED, ENOENT: the manager is gone), the signal's reason.
 */
export async function sdNotify(
  fields: Readonly<Record<string, string | number>>,
  options: SdNotifyOptions = {},
): Promise<boolean> {
  const message = encodeFields(fields);
  const to = notifyAddress(options.socket);
  if (to === undefined) return false;
  const { fds = [], signal, readiness } = options;
  using socket = DatagramSocket.open(readiness === undefined ? {} : { readiness });
  await socket.send(message, fds, { to, signal });
  return true;
}

function notifyAddress(given: string | undefined): string | undefined {
  const address = given ?? process.env['NOTIFY_SOCKET'];
  if (address === undefined || address === '') return undefined;
  if (!address.startsWith('/') && !address.startsWith('@')) {
    throw new EnvironmentError('NOTIFY_SOCKET', 'an absolute path, or a name after @', address);
  }
  return address;
}

function encodeFields(fields: Readonly<Record<string, string | number>>): Uint8Array {
  const lines = Object.entries(fields).map(([name, value]) => {
    if (!/^[A-Z0-9_]+$/.test(name)) {
      throw new InvalidArgumentError('a field to notify', 'a name of A-Z, 0-9 and _', name);
    }
    const text = String(value);
    if (text.includes('\n') || !text.isWellFormed()) {
      throw new InvalidArgumentError(`the field ${name} to notify`, 'one line of text', text);
    }
    return `${name}=${text}`;
  });
  if (lines.length === 0) throw new InvalidArgumentError('what to notify', 'a field', 'none');
  return new TextEncoder().encode(lines.join('\n'));
}
