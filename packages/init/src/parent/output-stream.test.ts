import { writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { fdNumber, type OwnedFd } from '@pilotlight/scm-rights';
import { countOpenFds } from '@pilotlight/scm-rights/testing';
import { describe, expect, it } from 'vitest';
import { openPipe } from '../syscall/pipe.ts';
import { OutputBudget, OutputStream } from './output-stream.ts';

function pipeTo(budget?: OutputBudget): {
  stream: OutputStream;
  writer: OwnedFd;
  say: (text: string) => void;
} {
  const { reader, writer } = openPipe();
  const socket = new Socket({ fd: reader.release(), readable: true, writable: false });
  const say = (text: string): void => void writeSync(fdNumber(writer), text);
  return { stream: new OutputStream(socket, budget), writer, say };
}

async function textOf(stream: OutputStream): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return text;
}

describe('OutputStream', () => {
  it('OutputStream delivers what was written, to its end', async () => {
    const { stream, writer, say } = pipeTo();
    say('one ');
    say('two');
    writer.close();
    expect(await textOf(stream)).toBe('one two');
  });

  it('OutputStream drained without a reader closes its pipe and keeps the text', async () => {
    const warm = pipeTo();
    warm.writer.close();
    await textOf(warm.stream);
    const before = countOpenFds();
    const { stream, writer, say } = pipeTo();
    say('x'.repeat(65_536));
    writer.close();
    await stream.drain();
    await expect.poll(() => countOpenFds()).toBe(before);
    expect(await textOf(stream)).toHaveLength(65_536);
  });

  it('OutputStream drained does not wait for a writer that lives on', async () => {
    const { stream, writer, say } = pipeTo();
    say('early');
    await stream.drain();
    expect(stream.readableEnded).toBe(false);
    say(' late');
    writer.close();
    expect(await textOf(stream)).toBe('early late');
  });

  it('OutputStream delivers what the budget of all streams allows, then ends, after the stop', async () => {
    const budget = new OutputBudget(7);
    const [one, other] = [pipeTo(budget), pipeTo(budget)];
    const order: string[] = [];
    budget.onExceeded(() => order.push('stop'));
    budget.onCut(() => order.push('cut'));
    one.say('1234');
    await one.stream.drain();
    other.say('12345678');
    expect(await Promise.all([textOf(one.stream), textOf(other.stream)])).toEqual(['1234', '123']);
    expect(order).toEqual(['stop', 'cut']);
    for (const { writer } of [one, other]) writer.close();
  });

  it('OutputBudget tells who comes late at once, and nobody once it is lifted', () => {
    const late = new OutputBudget(0);
    late.exceed();
    let told = 0;
    late.onExceeded(() => told++);
    late.exceed();
    expect(told).toBe(1);
    const lifted = new OutputBudget(1);
    lifted.lift();
    expect(lifted.take(1_000)).toBe(1_000);
  });

  it('OutputStream destroyed closes its pipe', async () => {
    const before = countOpenFds();
    const { stream, writer } = pipeTo();
    stream.destroy();
    writer.close();
    await expect.poll(() => countOpenFds()).toBe(before);
    expect(await textOf(stream).catch((error: Error) => error.name)).not.toBe('');
  });
});
