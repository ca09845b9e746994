import { expect, test } from 'vitest';
import { isSyncType, syncTypeNames, syncTypes } from './sync-type.ts';

test('syncTypes names exactly the nine messages of the packet dialect', () => {
  expect(syncTypeNames).toEqual([
    'procError',
    'procReady',
    'procRun',
    'procHooks',
    'procHooksDone',
    'procSeccomp',
    'procSeccompDone',
    'procMountPlease',
    'procMountFd',
  ]);
});

test.each(syncTypeNames)('syncTypes lets the other end answer %s, or nobody', (type) => {
  const { sender, reply } = syncTypes[type];
  expect(reply === undefined ? undefined : syncTypes[reply].sender).not.toBe(sender);
});

test('syncTypes has an asker for everything that the parent says', () => {
  const answers = syncTypeNames.flatMap((type) => syncTypes[type].reply ?? []);
  expect(new Set(answers)).toEqual(
    new Set(syncTypeNames.filter((type) => syncTypes[type].sender === 'parent')),
  );
});

test.each(['', 'procrun', 'procResume', 'toString', '__proto__', 3, null, undefined, ['procRun']])(
  'isSyncType refuses %j',
  (value) => {
    expect(isSyncType(value)).toBe(false);
  },
);
