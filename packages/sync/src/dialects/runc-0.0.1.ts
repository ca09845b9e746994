import type { StreamDialect } from './dialect.ts';
import { runcStreamDialect } from './runc-stream.ts';
import { streamHandshake } from './stream-handshakes.ts';
import type { StreamMessage } from './stream-message.ts';
import { streamTypes } from './stream-types.ts';

const types = streamTypes(['procError']);
const silent = streamHandshake('init of runc 0.0.1', types, {});

/**
 * runc 0.0.1 to 0.0.6: the child says nothing unless it fails; then one error object, a newline,
 * end of file. procError stands for that object here, though its name is never on the wire.
 */
export const runc001: StreamDialect<
  StreamMessage<'procError'>,
  'runc-0.0.1',
  'standard' | 'setns'
> = runcStreamDialect({
  name: 'runc-0.0.1',
  id: 'D0',
  spokenBy: 'runc 0.0.1 to 0.0.6',
  types,
  handshakes: { standard: silent, setns: silent },
  fdMember: false,
  errorObject: 'generic',
  announcesErrors: false,
});
