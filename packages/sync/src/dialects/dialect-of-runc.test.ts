import { expect, test } from 'vitest';
import { dialectOfRunc } from './dialect-of-runc.ts';

test.each([
  ['0.0.1', 'runc-0.0.1'],
  ['0.0.6', 'runc-0.0.1'],
  ['0.0.7', 'runc-0.0.7'],
  ['0.0.8', 'runc-0.0.7'],
  ['0.0.9', 'runc-0.0.9'],
  ['0.1.1', 'runc-0.0.9'],
  ['1.0.0-rc2', 'runc-0.0.9'],
  ['1.0.0-rc3', 'runc-1.0'],
  ['1.0.0-rc93', 'runc-1.0'],
  ['v1.0.3', 'runc-1.0'],
  ['1.1.0-rc.1', 'runc-1.1.0'],
  ['1.1.5+ds1-1+deb12u1', 'runc-1.1.0'],
  ['1.1.12', 'runc-1.1.0'],
  ['1.1.13', 'runc-1.1.13'],
  ['1.2.0-rc.1', 'runc-1.2.0-rc.1'],
  ['1.2.0-rc.2', 'runc-1.2'],
  ['1.2.0', 'runc-1.2'],
  ['1.5.1', 'runc-1.2'],
])('dialectOfRunc knows that runc %s speaks %s', (version, dialect) => {
  expect(dialectOfRunc(version)).toBe(dialect);
});

test.each(['', 'main', '1.1', '1.0.0-rc2+dev', '1.0.2-dev', '1.2.0-rc.1+dev'])(
  'dialectOfRunc does not guess for "%s"',
  (version) => {
    expect(dialectOfRunc(version)).toBe(undefined);
  },
);
