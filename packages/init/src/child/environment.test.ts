import { syscallError } from '@pilotlight/scm-rights';
import { describe, expect, it } from 'vitest';
import { createRecordingSyscall } from '../syscall/recording.ts';
import type { Syscall } from '../syscall/syscall.ts';
import { programEnvironment } from './environment.ts';

const S_IFREG = 0o10_0000;
const S_IFIFO = 0o1_0000;

function withPasswd(text: string | undefined, type = S_IFREG): Syscall {
  return {
    ...createRecordingSyscall(),
    statx: () => ({ mode: type | 0o644, deviceMajor: 0, deviceMinor: 0 }),
    openat2() {
      if (text === undefined) throw syscallError(2, 'openat2', '/etc/passwd');
      return 9;
    },
    readStart: (_, maxBytes) => new TextEncoder().encode(text).subarray(0, maxBytes),
  };
}

const passwd = `root:x:0:0:root:/root:/bin/sh
daemon:x:1:1::/usr/sbin:/bin/false
first:x:1000:1000::/home/first:/bin/sh
second:x:1000:1000::/home/second:/bin/sh
homeless:x:7:7:::/bin/sh
broken line
`;

describe('programEnvironment', () => {
  it.each([
    [0, '/root'],
    [1, '/usr/sbin'],
    [1000, '/home/first'],
    [7, '/'],
    [4711, '/'],
  ])('programEnvironment takes the home directory of user %i from passwd: %s', (uid, home) => {
    expect(programEnvironment(withPasswd(passwd), ['A=1'], uid)).toEqual(['A=1', `HOME=${home}`]);
  });

  it('programEnvironment leaves a HOME of the configuration alone', () => {
    const env = ['HOME=/own', 'A=1'];
    expect(programEnvironment(withPasswd(passwd), env, 0)).toEqual(env);
  });

  it('programEnvironment reads only a regular file', () => {
    expect(programEnvironment(withPasswd(passwd, S_IFIFO), [], 0)).toEqual(['HOME=/']);
  });

  it('programEnvironment reads no further than 1 MiB', () => {
    const late = `${'#'.repeat(1 << 20)}\n${passwd}`;
    expect(programEnvironment(withPasswd(late), [], 0)).toEqual(['HOME=/']);
  });

  it('programEnvironment does without a passwd file', () => {
    expect(programEnvironment(withPasswd(undefined), [], 0)).toEqual(['HOME=/']);
  });
});
