import { socketpair, UnixStream } from '@pilotlight/scm-rights';
import { describe, expect, it } from 'vitest';
import type { Host } from '../../context.ts';
import { runCli } from '../../run-cli.ts';

async function cli(args: string[], env: Host['env'] = {}): Promise<{ code: number; err: string }> {
  let err = '';
  const listening = new Set<string>();
  const host: Host = {
    stdout: { write: () => undefined },
    stderr: { write: (text) => void (err += text) },
    env,
    uid: 0,
    cwd: () => '/',
    now: () => new Date(0),
    isTerminal: () => false,
    onSignal: (signal) => {
      listening.add(signal);
      return () => void listening.delete(signal);
    },
  };
  const code = await runCli(['exec-ext', ...args], host);
  expect([...listening]).toEqual([]);
  return { code, err };
}

describe('execExt', () => {
  it('execExt refuses to do anything without a parent', async () => {
    const { code, err } = await cli(['exec', 'box']);
    expect(code).toBe(125);
    expect(err).toContain('_RUNCEXT_PROC_SYNC_PIPE: the variable is not set');
  });

  it.each([
    [
      'a flag of its own',
      ['--root', 'r', '--nonsense=', 'exec'],
      /"--nonsense=" is not a known flag/,
    ],
    ['a flag that would not take effect', ['exec', '-t', 'box'], /exec --tty is not supported/],
    ['no command', [], /the command exec is missing/],
  ])('execExt tells its parent about %s', async (_name, args, reason) => {
    const [ours, theirs] = socketpair('stream');
    const parent = new UnixStream(ours);
    const { code, err } = await cli(args, { _RUNCEXT_PROC_SYNC_PIPE: String(theirs.release()) });
    expect(code).toBe(125);
    expect(err).toMatch(reason);
    let said = '';
    for await (const chunk of parent) said += String(chunk);
    const { type, message } = JSON.parse(said) as { type: string; message: string };
    expect(type).toBe('error');
    expect(message).toMatch(/^error: read the command line of the exec wrapper/);
    expect(message).toMatch(reason);
  });
});
