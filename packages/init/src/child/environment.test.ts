import { syscallError } from '@pilotlight/scm-rights';
import { describe, expect, it } from 'vitest';
import { createRecordingSyscall } from '../syscall/recording.ts';
import type { Syscall } from '../syscall/syscall.ts';
import { programEnvironment } from './environment.ts';

function withPasswd(text: string | undefined): Syscall {
  return {
    ...createRecordingSyscall(),
    openat2() {
      if (text === undefined) throw syscallError(2, 'openat2', '/etc/passwd');
      return 9;
    },
    readAll: () => new TextEncoder().encode(text),
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

  it('programEnvironment does without a passwd file', () => {
    expect(programEnvironment(withPasswd(undefined), [], 0)).toEqual(['HOME=/']);
  });
});
