import { syscallError } from '@pilotlight/scm-rights';
import { encodePacket, stringifyExactJson } from '@pilotlight/sync';
import { describe, expect, it } from 'vitest';
import { attempting, describeFailure, StepFailure } from './step-failure.ts';

const ENOENT = 2;

function failureOf(action: () => void): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error('it did not fail');
}

describe('describeFailure', () => {
  it('describeFailure tells what was attempted, why it failed, and what to do', () => {
    const error = failureOf(() => {
      attempting('bind /a at /b', { index: 4, hint: ({ code }) => `mind the ${code}` }, () => {
        throw syscallError(ENOENT, 'open_tree', '/a');
      });
    });
    expect(describeFailure('mounts', error)).toEqual({
      message: 'bind /a at /b: open_tree /a: ENOENT (no such file or directory)',
      step: 'mounts',
      index: 4,
      hint: 'mind the ENOENT',
      syscall: 'open_tree',
      errno: -2,
      errnoCode: 'ENOENT',
      path: '/a',
    });
  });

  it('describeFailure starts with the step where nothing says what was attempted', () => {
    expect(describeFailure('hostname', syscallError(1, 'sethostname', 'x'))).toMatchObject({
      message: expect.stringMatching(/^hostname: sethostname x: EPERM/),
      step: 'hostname',
    });
    expect(describeFailure('config', new Error('text'))).toEqual({
      message: 'config: text',
      step: 'config',
    });
    expect(describeFailure('config', 'text')).toEqual({ message: 'config: text', step: 'config' });
  });

  it('describeFailure always fits one packet, however long the operands are', () => {
    const long = '€'.repeat(1_000_000);
    const error = new StepFailure(`run ${long}`, syscallError(ENOENT, 'execve', long), {
      hint: long,
    });
    const arg = stringifyExactJson(describeFailure('exec', error));
    const packet = encodePacket({ type: 'procError', flags: 0, arg });
    // The send buffer of a socket pair holds 208 KiB at least where nobody changed it.
    expect(packet.length).toBeLessThan(100_000);
  });
});
