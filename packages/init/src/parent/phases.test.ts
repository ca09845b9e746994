import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { launchChannels } from './launch-channels.ts';
import { PhaseClock } from './phases.ts';

describe('PhaseClock', () => {
  let told: [name: string, event: unknown][];
  const listen = (event: unknown, name: string | symbol): void =>
    void told.push([String(name).replace('pilotlight:launch:', ''), event]);
  const names = Object.keys(launchChannels).map((name) => `pilotlight:launch:${name}`);

  beforeEach(() => {
    told = [];
    for (const name of names) subscribe(name, listen);
  });
  afterEach(() => {
    for (const name of names) unsubscribe(name, listen);
  });

  it('PhaseClock tells the start, each phase with its times, and one outcome', () => {
    const clock = new PhaseClock('demo');
    clock.mark('fork');
    clock.mark('exec');
    clock.finish('end', { pid: 42 });
    clock.finish('error', { error: new Error('later') });
    expect(told).toEqual([
      ['start', { id: 'demo' }],
      ['phase', { id: 'demo', ...clock.phases[0] }],
      ['phase', { id: 'demo', ...clock.phases[1] }],
      ['end', { id: 'demo', pid: 42, phases: clock.phases }],
    ]);
    expect(clock.phases.map(({ name }) => name)).toEqual(['fork', 'exec']);
  });

  it('PhaseClock tells an error, and an abort', () => {
    const error = new Error('x');
    new PhaseClock('a').finish('error', { error });
    new PhaseClock('b').finish('abort');
    expect(told).toEqual([
      ['start', { id: 'a' }],
      ['error', { id: 'a', error, phases: [] }],
      ['start', { id: 'b' }],
      ['abort', { id: 'b', phases: [] }],
    ]);
  });

  it('PhaseClock leaves no time between two phases but what was skipped', () => {
    const clock = new PhaseClock('demo');
    for (const name of ['a', 'b', 'c']) clock.mark(name);
    const [a, b, c] = clock.phases;
    expect(a!.startMs + a!.durationMs).toBeCloseTo(b!.startMs, 6);
    expect(b!.startMs + b!.durationMs).toBeCloseTo(c!.startMs, 6);
  });
});
