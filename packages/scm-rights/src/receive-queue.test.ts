import { describe, expect, it } from 'vitest';
import { ReceiveQueue } from './receive-queue.ts';

describe('ReceiveQueue', () => {
  it('ReceiveQueue keeps what arrives after its receive was aborted', async () => {
    const arrival = Promise.withResolvers<string>();
    const queue = new ReceiveQueue<string, undefined>(
      () => arrival.promise,
      () => {},
    );
    const abort = new AbortController();
    const first = queue.receive(undefined, abort.signal);
    abort.abort(new Error('enough'));
    await expect(first).rejects.toThrow('enough');
    arrival.resolve('kept');
    await arrival.promise;
    expect(await queue.receive(undefined)).toBe('kept');
    expect(queue.busy).toBe(false);
  });

  it('ReceiveQueue discards what arrives after it was closed', async () => {
    const arrival = Promise.withResolvers<string>();
    const discarded: string[] = [];
    const queue = new ReceiveQueue<string, undefined>(
      () => arrival.promise,
      (value) => discarded.push(value),
    );
    const pending = queue.receive(undefined);
    queue.close(new Error('closed'));
    await expect(pending).rejects.toThrow('closed');
    arrival.resolve('late');
    await new Promise((resolve) => setImmediate(resolve));
    expect(discarded).toEqual(['late']);
    await expect(queue.receive(undefined)).rejects.toThrow('closed');
  });

  it('ReceiveQueue gives a failure to one receive and goes on', async () => {
    let count = 0;
    const queue = new ReceiveQueue<number, undefined>(
      async () => {
        count += 1;
        if (count === 1) throw new Error('first');
        return count;
      },
      () => {},
    );
    const [first, second] = [queue.receive(undefined), queue.receive(undefined)];
    await expect(first).rejects.toThrow('first');
    expect(await second).toBe(2);
  });

  it('ReceiveQueue asks with the options of the receive that is first', async () => {
    const queue = new ReceiveQueue<number, number>(
      async (_signal, options) => options(),
      () => {},
    );
    expect(await Promise.all([1, 2, 3].map((value) => queue.receive(value)))).toEqual([1, 2, 3]);
  });
});
