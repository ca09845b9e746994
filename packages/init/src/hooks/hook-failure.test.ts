import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hookFailure, keepEnd, keptOutputBytes } from './hook-failure.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('hookFailure', () => {
  it('hookFailure is none for a hook that exited with 0, whatever it printed', () => {
    expect(hookFailure({ kind: 'exited', code: 0 }, bytes('warning'))).toBeUndefined();
  });

  it('hookFailure says how the hook ended and what it printed', () => {
    expect(hookFailure({ kind: 'exited', code: 3 }, bytes('a\n\tb\n'))).toBe(
      'it exited with 3, and said: a\n\tb',
    );
    expect(hookFailure({ kind: 'signaled', signal: 9 }, bytes(''))).toBe(
      'it was killed by signal 9',
    );
    expect(hookFailure({ kind: 'timedOut', timeoutMs: 1500 }, bytes('x'))).toBe(
      'it ran past its timeout of 1.5 s and was killed, and said: x',
    );
  });

  it('hookFailure lets no control character through', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (output) => {
        const text = hookFailure({ kind: 'exited', code: 1 }, output)!;
        // oxlint-disable-next-line no-control-regex -- It is what must not be there.
        expect(text).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
      }),
    );
  });
});

describe('keepEnd', () => {
  it('keepEnd keeps the last bytes, however they come', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 8 }), (parts) => {
        const kept = parts.reduce<Uint8Array>(keepEnd, new Uint8Array());
        expect(Buffer.from(kept)).toEqual(Buffer.concat(parts).subarray(-keptOutputBytes));
      }),
    );
  });
});
