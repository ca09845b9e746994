import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { InvalidConfigError } from '../errors.ts';
import { requireRunLimits, RunLimits } from './run-limits.ts';

describe('requireRunLimits', () => {
  it.each([
    [{ timeoutMs: 0 }, 'options.timeoutMs'],
    [{ timeoutMs: 1.5 }, 'options.timeoutMs'],
    [{ timeoutMs: 2 ** 31 }, 'options.timeoutMs'],
    [{ timeoutMs: Number.NaN }, 'options.timeoutMs'],
    [{ maxOutputBytes: -1 }, 'options.maxOutputBytes'],
    [{ maxOutputBytes: Number.POSITIVE_INFINITY }, 'options.maxOutputBytes'],
  ])('requireRunLimits refuses %j', (limits, field) => {
    expect(() => requireRunLimits(limits)).toThrow(InvalidConfigError);
    expect(() => requireRunLimits(limits)).toThrow(field);
  });

  it('requireRunLimits accepts the ends of the ranges, and nothing at all', () => {
    requireRunLimits({});
    requireRunLimits({ timeoutMs: 1, maxOutputBytes: 0 });
    expect(requireRunLimits({ timeoutMs: 2 ** 31 - 1, maxOutputBytes: 2 ** 53 - 1 })).toBe(
      undefined,
    );
  });
});

describe('RunLimits', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('RunLimits kills when the time is up, and not before', () => {
    const kill = vi.fn<() => void>();
    const limits = new RunLimits({ timeoutMs: 50 }, kill);
    vi.advanceTimersByTime(49);
    expect(kill).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(kill).toHaveBeenCalledOnce();
    expect(limits.stop).toEqual({ reason: 'timeout', because: 'it ran for more than 50 ms' });
  });

  it('RunLimits kills when the signal is aborted, before its making or after', () => {
    const cause = new Error('enough');
    const aborted = { reason: 'aborted', because: expect.any(String), cause };
    const kill = vi.fn<() => void>();
    const early = new RunLimits({ signal: AbortSignal.abort(cause) }, kill);
    expect(kill).toHaveBeenCalledOnce();
    expect(early.stop).toEqual(aborted);

    const controller = new AbortController();
    const late = new RunLimits({ signal: controller.signal }, kill);
    controller.abort(cause);
    expect(kill).toHaveBeenCalledTimes(2);
    expect(late.stop).toEqual(aborted);
  });

  it('RunLimits keeps the first reason and kills once', () => {
    const controller = new AbortController();
    const kill = vi.fn<() => void>();
    const limits = new RunLimits({ timeoutMs: 10, signal: controller.signal }, kill);
    vi.advanceTimersByTime(10);
    controller.abort();
    limits.reach({ reason: 'outputLimit', because: 'x' });
    expect(kill).toHaveBeenCalledOnce();
    expect(limits.stop?.reason).toBe('timeout');
  });

  it('RunLimits leaves no timer and no listener behind, however it ends', () => {
    const { signal } = new AbortController();
    const disarmed = new RunLimits({ timeoutMs: 10, signal }, () => undefined);
    disarmed.disarm();
    const reached = new RunLimits({ timeoutMs: 10, signal }, () => undefined);
    reached.reach({ reason: 'outputLimit', because: 'x' });
    expect(vi.getTimerCount()).toBe(0);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    vi.advanceTimersByTime(100);
    expect(disarmed.stop).toBeUndefined();
  });
});
