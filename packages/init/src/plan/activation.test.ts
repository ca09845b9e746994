import { describe, expect, it } from 'vitest';
import { activationEnvironment } from '../child/activation.ts';
import { createRecordingSyscall } from '../syscall/recording.ts';
import { planActivation } from './activation.ts';

describe('planActivation', () => {
  it('planActivation wants a name for each descriptor', () => {
    expect(planActivation(2, ['http', ''])).toEqual({ count: 2, names: ['http', ''] });
    expect(() => planActivation(2, ['http'])).toThrow(/1 names were given for 2/);
    expect(planActivation(0, undefined)).toBeUndefined();
  });

  it.each(['a:b', 'ü', 'a\n', 'x'.repeat(256)])('planActivation refuses the name %j', (name) => {
    expect(() => planActivation(1, [name])).toThrow(/cannot be a name/);
  });
});

describe('activationEnvironment', () => {
  it('activationEnvironment replaces what the configuration says of another activation', () => {
    const env = ['A=1', 'LISTEN_FDS=9', 'LISTEN_PID=7', 'LISTEN_FDNAMES=x', 'LISTEN_FDSX=kept'];
    const sys = createRecordingSyscall();
    expect(activationEnvironment(sys, env, { count: 2, names: ['a', 'b'] })).toEqual([
      'A=1',
      'LISTEN_FDSX=kept',
      'LISTEN_FDS=2',
      'LISTEN_PID=1',
      'LISTEN_FDNAMES=a:b',
    ]);
  });

  it('activationEnvironment makes no call where there is none', () => {
    const sys = createRecordingSyscall();
    expect(activationEnvironment(sys, ['A=1'], undefined)).toEqual(['A=1']);
    expect(sys.calls).toEqual([]);
  });
});
