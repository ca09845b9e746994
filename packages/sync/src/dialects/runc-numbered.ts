import type { StreamDialect } from './dialect.ts';
import { runcStreamDialect } from './runc-stream.ts';
import { streamHandshake } from './stream-handshakes.ts';
import type { StreamMessage } from './stream-message.ts';
import { numberedTypes } from './stream-types.ts';

// Three dialects with a number for the type, in three orders. Nothing on the wire tells them
// apart: {"type":3} is procRun in the first and procHooks in the others.

const types1 = numberedTypes({ procReady: 0, procError: 1, procStart: 2, procRun: 3 });

/**
 * runc 0.0.7 and 0.0.8. Hooks run before the child is told anything. A child that joins, and one
 * that cannot read its config, sends its error object without procError before it.
 */
export const runc007: StreamDialect<
  StreamMessage<'procReady' | 'procError' | 'procStart' | 'procRun'>,
  'runc-0.0.7',
  'standard' | 'setns'
> = runcStreamDialect({
  name: 'runc-0.0.7',
  id: 'D1',
  spokenBy: 'runc 0.0.7 and 0.0.8',
  types: types1,
  handshakes: {
    standard: streamHandshake('standard init of runc 0.0.7', types1, { ready: true, start: true }),
    setns: streamHandshake('setns init of runc 0.0.7', types1, {}),
  },
  fdMember: false,
  errorObject: 'generic',
  announcesErrors: true,
});

const types2 = numberedTypes({
  procReady: 0,
  procError: 1,
  procRun: 2,
  procHooks: 3,
  procResume: 4,
});

type HooksType = 'procReady' | 'procError' | 'procRun' | 'procHooks' | 'procResume';

/**
 * runc 0.0.9 to 1.0.0-rc2. Without a mount namespace of its own the container is set up with no
 * procHooks: the hooks run at procReady. Errors may come without procError, as in 0.0.7.
 */
export const runc009: StreamDialect<
  StreamMessage<HooksType>,
  'runc-0.0.9',
  'standard' | 'standardWithoutMounts' | 'setns'
> = runcStreamDialect({
  name: 'runc-0.0.9',
  id: 'D2',
  spokenBy: 'runc 0.0.9 to 1.0.0-rc2',
  types: types2,
  handshakes: {
    standard: streamHandshake('standard init of runc 0.0.9', types2, { hooks: true, ready: true }),
    standardWithoutMounts: streamHandshake(
      'standard init of runc 0.0.9 without a mount namespace',
      types2,
      { ready: true },
    ),
    setns: streamHandshake('setns init of runc 0.0.9', types2, {}),
  },
  fdMember: false,
  errorObject: 'generic',
  announcesErrors: true,
});

const types2x = numberedTypes({
  procError: 0,
  procReady: 1,
  procRun: 2,
  procHooks: 3,
  procResume: 4,
});

/**
 * One commit of 2016-12-01 that no release ever had; it is the `sync.go` with `syncType uint8`
 * that is quoted most. From here on every error is announced by procError.
 */
export const runc20161201: StreamDialect<
  StreamMessage<HooksType>,
  'runc-2016-12-01',
  'standard' | 'standardWithoutMounts' | 'setns'
> = runcStreamDialect({
  name: 'runc-2016-12-01',
  id: 'D2x',
  spokenBy: 'one untagged commit of runc of 2016-12-01',
  types: types2x,
  handshakes: {
    standard: streamHandshake('standard init of runc of 2016-12-01', types2x, {
      hooks: true,
      ready: true,
    }),
    standardWithoutMounts: streamHandshake(
      'standard init of runc of 2016-12-01 without a mount namespace',
      types2x,
      { ready: true },
    ),
    setns: streamHandshake('setns init of runc of 2016-12-01', types2x, {}),
  },
  fdMember: false,
  errorObject: 'generic',
  announcesErrors: true,
});
