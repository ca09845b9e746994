import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { childProgress, type ChildProgress, Watchdog } from './watchdog.ts';

function scene(limitMs: number): {
  watchdog: Watchdog;
  progress: Map<number, ChildProgress>;
  killed: number[];
  clock: { now: number };
} {
  const progress = new Map<number, ChildProgress>();
  const killed: number[] = [];
  const clock = { now: 1000 };
  const watchdog = new Watchdog(limitMs, {
    now: () => clock.now,
    progressOf: (pid) => progress.get(pid) ?? 'busy',
    kill: (pidfd) => void killed.push(pidfd),
    pause: (ms) => void (clock.now += ms),
  });
  return { watchdog, progress, killed, clock };
}

describe('Watchdog', () => {
  it('Watchdog kills a child that is busy for longer than the limit, and no sooner', () => {
    const { watchdog, killed, clock } = scene(100);
    watchdog.watch(1, 11, 21);
    clock.now += 99;
    expect(watchdog.timeoutMs()).toBe(1);
    watchdog.check();
    expect(killed).toEqual([]);
    clock.now += 1;
    watchdog.check();
    expect(killed).toEqual([21]);
    expect(watchdog.timeoutMs()).toBe(-1);
  });

  it('Watchdog leaves a child alone that waits for its parent, and looks again', () => {
    const { watchdog, progress, killed, clock } = scene(100);
    progress.set(11, 'waiting');
    watchdog.watch(1, 11, 21);
    for (let period = 0; period < 50; period++) {
      clock.now += 100;
      watchdog.check();
    }
    expect(killed).toEqual([]);
    progress.set(11, 'busy');
    clock.now += 100;
    watchdog.check();
    expect(killed).toEqual([21]);
  });

  it('Watchdog forgets who runs its program or has ended', () => {
    const { watchdog, progress, killed, clock } = scene(100);
    progress.set(11, 'program');
    watchdog.watch(1, 11, 21);
    watchdog.watch(2, 12, 22);
    watchdog.forget(2);
    clock.now += 100;
    watchdog.check();
    expect(killed).toEqual([]);
    expect(watchdog.timeoutMs()).toBe(-1);
  });

  it('Watchdog looks at the oldest child first', () => {
    const { watchdog, killed, clock } = scene(100);
    watchdog.watch(1, 11, 21);
    clock.now += 60;
    watchdog.watch(2, 12, 22);
    expect(watchdog.timeoutMs()).toBe(40);
    clock.now += 40;
    watchdog.check();
    expect(killed).toEqual([21]);
    expect(watchdog.timeoutMs()).toBe(60);
  });

  it('Watchdog gives busy children a short time when the parent is gone, waiting ones all of it', () => {
    const { watchdog, progress, killed, clock } = scene(100_000);
    progress.set(12, 'waiting');
    watchdog.watch(1, 11, 21);
    watchdog.watch(2, 12, 22);
    watchdog.parentIsGone();
    expect(killed).toEqual([21]);
    expect(clock.now).toBe(6000);
  });

  it('Watchdog does not wait when the parent is gone and every child runs its program', () => {
    const { watchdog, progress, clock } = scene(100_000);
    progress.set(11, 'program');
    watchdog.watch(1, 11, 21);
    watchdog.parentIsGone();
    expect(clock.now).toBe(1000);
  });
});

describe('childProgress', () => {
  it('childProgress of something that was executed is its program', async () => {
    const child = spawn('sleep', ['60']);
    try {
      await once(child, 'spawn');
      expect(childProgress(child.pid!)).toBe('program');
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  });

  it('childProgress of nobody is its program', () => {
    expect(childProgress(2 ** 30)).toBe('program');
  });
});
