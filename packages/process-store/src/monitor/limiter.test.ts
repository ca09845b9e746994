import { expect, test } from 'vitest';
import { Limiter } from './limiter.ts';

test('Limiter runs no more tasks at the same time than it may, and all of them in the end', async () => {
  const limiter = new Limiter(3);
  let running = 0;
  let most = 0;
  const tasks = Array.from({ length: 20 }, (_, index) =>
    limiter.run(async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      return index;
    }),
  );
  expect(await Promise.all(tasks)).toEqual(Array.from({ length: 20 }, (_, index) => index));
  expect(most).toBe(3);
});

test('Limiter goes on after a task that failed', async () => {
  const limiter = new Limiter(1);
  const failed = limiter.run(() => Promise.reject(new Error('no')));
  const next = limiter.run(async () => 'yes');
  await expect(failed).rejects.toThrow('no');
  expect(await next).toBe('yes');
});
