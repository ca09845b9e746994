import type { StreamDialect } from './dialect.ts';
import { runcStreamDialect } from './runc-stream.ts';
import { streamHandshake } from './stream-handshakes.ts';
import type { StreamMessage } from './stream-message.ts';
import { streamTypes } from './stream-types.ts';

type HooksType = 'procError' | 'procReady' | 'procRun' | 'procHooks' | 'procResume';

const consoleTypes = streamTypes([
  'procError',
  'procReady',
  'procRun',
  'procHooks',
  'procResume',
  'procConsole',
  'procConsoleReq',
  'procConsoleAck',
]);

/**
 * runc between releases, December 2016 to March 2017. The terminal's master travels on the same
 * stream, between procConsoleReq and procConsoleAck: see `receiveFile` of `StreamChannel`.
 */
export const runcConsole: StreamDialect<
  StreamMessage<HooksType | 'procConsole' | 'procConsoleReq' | 'procConsoleAck'>,
  'runc-console',
  'standard' | 'standardWithoutMounts' | 'setns'
> = runcStreamDialect({
  name: 'runc-console',
  id: 'D3',
  spokenBy: 'untagged runc, 2016-12 to 2017-03',
  types: consoleTypes,
  handshakes: {
    standard: streamHandshake('standard init of the console era', consoleTypes, {
      hooks: true,
      console: true,
      ready: true,
    }),
    standardWithoutMounts: streamHandshake(
      'standard init of the console era without a mount namespace',
      consoleTypes,
      { console: true, ready: true },
    ),
    setns: streamHandshake('setns init of the console era', consoleTypes, { console: true }),
  },
  fdMember: false,
  errorObject: 'generic',
  announcesErrors: true,
});

const types10 = streamTypes(['procError', 'procReady', 'procRun', 'procHooks', 'procResume']);

/**
 * runc 1.0.0-rc3 to 1.0.3. Up to rc4 a child without a mount namespace of its own sends no
 * procHooks; from rc5 on it always does. A child that joins is silent unless it fails.
 */
export const runc10: StreamDialect<
  StreamMessage<HooksType>,
  'runc-1.0',
  'standard' | 'standardWithoutMounts' | 'setns'
> = runcStreamDialect({
  name: 'runc-1.0',
  id: 'D4',
  spokenBy: 'runc 1.0.0-rc3 to 1.0.3',
  types: types10,
  handshakes: {
    standard: streamHandshake('standard init of runc 1.0', types10, { hooks: true, ready: true }),
    standardWithoutMounts: streamHandshake(
      'standard init of runc 1.0.0-rc3 without a mount namespace',
      types10,
      { ready: true },
    ),
    setns: streamHandshake('setns init of runc 1.0', types10, {}),
  },
  fdMember: false,
  errorObject: 'generic',
  announcesErrors: true,
});

const types11 = streamTypes([
  'procError',
  'procReady',
  'procRun',
  'procHooks',
  'procResume',
  'procSeccomp',
  'procSeccompDone',
]);

type SeccompType = HooksType | 'procSeccomp' | 'procSeccompDone';

const standard11 = streamHandshake('standard init of runc 1.1', types11, {
  hooks: true,
  ready: true,
  seccomp: true,
});

/** runc 1.1.0-rc.1 to 1.1.12. A child that joins sends nothing but procSeccomp or a failure. */
export const runc110: StreamDialect<
  StreamMessage<SeccompType>,
  'runc-1.1.0',
  'standard' | 'setns'
> = runcStreamDialect({
  name: 'runc-1.1.0',
  id: 'D5a',
  spokenBy: 'runc 1.1.0-rc.1 to 1.1.12',
  types: types11,
  handshakes: {
    standard: standard11,
    setns: streamHandshake('setns init of runc 1.1.0', types11, { seccomp: true }),
  },
  fdMember: true,
  errorObject: 'init',
  announcesErrors: true,
});

/** runc 1.1.13 to 1.1.15: as 1.1.0, but a child that joins sends procReady and awaits procRun. */
export const runc1113: StreamDialect<
  StreamMessage<SeccompType>,
  'runc-1.1.13',
  'standard' | 'setns'
> = runcStreamDialect({
  name: 'runc-1.1.13',
  id: 'D5b',
  spokenBy: 'runc 1.1.13 to 1.1.15',
  types: types11,
  handshakes: {
    standard: standard11,
    setns: streamHandshake('setns init of runc 1.1.13', types11, { ready: true, seccomp: true }),
  },
  fdMember: true,
  errorObject: 'init',
  announcesErrors: true,
});
