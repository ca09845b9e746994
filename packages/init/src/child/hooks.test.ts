import { socketpair } from '@pilotlight/scm-rights';
import { afterAll, describe, expect, it } from 'vitest';
import { ociState } from '../hooks/oci-state.ts';
import type { PlannedHook } from '../plan/hooks.ts';
import { createLinuxSyscall } from '../syscall/linux.ts';
import { createRecordingSyscall } from '../syscall/recording.ts';
import type { Syscall } from '../syscall/syscall.ts';
import { runHooks } from './hooks.ts';
import { describeFailure } from './step-failure.ts';

const state = ociState({ id: 'demo', bundle: '/b' }, 'creating', 1);
const recordedSync = 4;
const hook = (more: Partial<PlannedHook> = {}): PlannedHook => ({
  kind: 'createContainer',
  index: 3,
  path: '/hook',
  args: ['zero', 'one'],
  env: ['A=1'],
  timeoutMs: null,
  ...more,
});

const reportOf = (sys: Syscall, ...hooks: PlannedHook[]) => reportFrom(sys, recordedSync, ...hooks);

function reportFrom(
  sys: Syscall,
  sync: number,
  ...hooks: PlannedHook[]
): Record<string, unknown> | undefined {
  try {
    runHooks(sys, hooks, state, sync);
  } catch (error) {
    return describeFailure('createContainer', error);
  }
  return undefined;
}

describe('runHooks', () => {
  it('runHooks makes these calls for a hook that succeeds', () => {
    const sys = createRecordingSyscall();
    expect(reportOf(sys, hook({ timeoutMs: 3000 }))).toBeUndefined();
    expect(sys.calls.map(({ name }) => name)).toEqual([
      'memoryFile',
      'pipe',
      'spawn',
      'close',
      'close',
      'pidfdOpen',
      'monotonicMs',
      'monotonicMs',
      'pollSpawned',
      'waitSpawned',
      'readAvailable',
      'close',
      'close',
    ]);
    const [memory, , spawn, , , , , , poll] = sys.calls;
    expect(new TextDecoder().decode(memory!.args[1] as Uint8Array)).toBe(JSON.stringify(state));
    expect(spawn!.args.slice(0, 3)).toEqual(['/hook', ['zero', 'one'], ['A=1']]);
    expect(poll!.args.slice(2)).toEqual([recordedSync, 3000]);
  });

  it('runHooks reports a failure of each call, and leaves no hook running', () => {
    const whole = createRecordingSyscall();
    runHooks(whole, [hook({ timeoutMs: 3000 })], state, recordedSync);
    const spawned = whole.calls.findIndex(({ name }) => name === 'spawn');
    for (const [failAt, { name }] of whole.calls.entries()) {
      const sys = createRecordingSyscall({ failAt });
      expect(reportOf(sys, hook({ timeoutMs: 3000 }))).toMatchObject({
        step: 'createContainer',
        index: 3,
        syscall: name,
        errnoCode: 'EPERM',
        message: expect.stringContaining('run hooks.createContainer[3] /hook: '),
      });
      const rest = sys.calls.slice(failAt + 1);
      expect(rest).toEqual(failAt > spawned ? [{ name: 'killGroup', args: [42] }] : []);
    }
  });

  it('runHooks stops at the first hook that fails', () => {
    const sys = createRecordingSyscall();
    let ended = 0;
    sys.waitSpawned = () => ({ code: ended++ === 1 ? 3 : 0 });
    expect(reportOf(sys, hook({ index: 0 }), hook({ index: 1 }), hook({ index: 2 }))).toMatchObject(
      {
        index: 1,
        path: '/hook',
        message: 'run hooks.createContainer[1] /hook: it exited with 3',
        hint: expect.any(String),
      },
    );
    expect(ended).toBe(2);
  });

  it('runHooks kills a hook at the end of its time, even one that prints without end', () => {
    for (const readable of [false, true]) {
      const sys = createRecordingSyscall();
      let now = 0;
      sys.monotonicMs = () => (now += 400);
      sys.pollSpawned = () => ({ ended: false, readable, hungUp: false });
      sys.readAvailable = () => new TextEncoder().encode('x');
      expect(reportOf(sys, hook({ timeoutMs: 1000 }))!['message']).toMatch(
        /it ran past its timeout of 1 s and was killed(, and said: x+)?$/,
      );
      expect(sys.calls.map(({ name }) => name).slice(-4)).toEqual([
        'killGroup',
        'waitSpawned',
        'close',
        'close',
      ]);
    }
  });

  it('runHooks kills the hook when the parent has hung up', () => {
    const sys = createRecordingSyscall();
    sys.pollSpawned = () => ({ ended: false, readable: false, hungUp: true });
    expect(reportOf(sys, hook())).toMatchObject({
      message: 'run hooks.createContainer[3] /hook: the parent is gone',
    });
    expect(sys.calls.at(-1)).toEqual({ name: 'killGroup', args: [42] });
  });

  it('runHooks asks no more for output once it is at its end', () => {
    const sys = createRecordingSyscall();
    const asked: number[] = [];
    sys.pollSpawned = (_, output) => {
      asked.push(output);
      return { ended: asked.length === 3, readable: output !== -1, hungUp: false };
    };
    expect(reportOf(sys, hook())).toBeUndefined();
    expect(asked.map((fd) => fd === -1)).toEqual([false, true, true]);
  });
});

describe('runHooks on this kernel', () => {
  const sys = createLinuxSyscall();
  const peers = socketpair('seqpacket');
  afterAll(() => peers.forEach((peer) => peer.close()));
  const reportOn = (...hooks: PlannedHook[]) => reportFrom(sys, peers[0].fd, ...hooks);
  const shell = (script: string, more: Partial<PlannedHook> = {}): PlannedHook =>
    hook({ path: '/bin/sh', args: ['zero', '-c', script], env: ['PATH=/usr/bin:/bin'], ...more });

  it('runHooks gives a hook its input, arguments and environment, and no descriptor or signal of ours', () => {
    const script =
      'cat; echo; echo "$0 $1"; tr "\\0" " " < /proc/self/environ; grep -E "^Sig(Blk|Ign)" /proc/self/status; echo "memory files: $(ls -l /proc/self/fd | grep -c memfd:state)"; cut -d" " -f5 /proc/$$/stat | grep -qx $$ && echo leads its group; exit 1';
    const { message } = reportOn(shell(script, { args: ['zero', '-c', script, 'name', 'one'] }))!;
    expect(message).toContain(`said: ${JSON.stringify(state)}\nname one\n`);
    expect(message).toMatch(/PATH=\/usr\/bin:\/bin/);
    expect(message).toContain('SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n');
    expect(message).toContain('memory files: 1\n');
    expect(message).toContain('leads its group');
  });

  it('runHooks reports exit, signal, timeout and a program that is not there', () => {
    expect(reportOn(shell('true'))).toBeUndefined();
    expect(reportOn(shell('echo no >&2; exit 7'))!['message']).toMatch(
      /exited with 7, and said: no$/,
    );
    expect(reportOn(shell('kill -KILL $$'))!['message']).toMatch(/was killed by signal 9$/);
    expect(reportOn(shell('sleep 1000; true', { timeoutMs: 100 }))!['message']).toMatch(
      /ran past its timeout of 0\.1 s and was killed$/,
    );
    expect(reportOn(shell('', { path: '/does/not/exist' }))).toMatchObject({
      syscall: 'posix_spawn',
      errnoCode: 'ENOENT',
      path: '/does/not/exist',
    });
  });

  it('runHooks holds no hook up that prints more than a pipe holds, and keeps the end', () => {
    const { message } = reportOn(
      shell('head -c 1000000 /dev/zero | tr "\\0" x; echo END; exit 1', { timeoutMs: 30_000 }),
    )! as { message: string };
    expect(message.length).toBeLessThan(4300);
    expect(message).toMatch(/xEND$/);
  });

  it('runHooks kills the hook and what it started when the parent hangs up', () => {
    const [ours, theirs] = socketpair('seqpacket');
    theirs.close();
    const report = reportFrom(sys, ours.fd, shell('sleep 1000; true'));
    ours.close();
    expect(report!['message']).toMatch(/the parent is gone$/);
  });

  it('runHooks does not wait for what a hook leaves running', () => {
    expect(reportOn(shell('sleep 5 & exit 0', { timeoutMs: 4000 }))).toBeUndefined();
  });
});
