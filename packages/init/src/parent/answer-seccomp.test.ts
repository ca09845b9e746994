import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  listenStream,
  memfdFrom,
  memfdRead,
  type OwnedFd,
  pidfdOpen,
  readiness,
  socketpair,
  type UnixStream,
} from '@pilotlight/scm-rights';
import { withoutFdLeak } from '@pilotlight/scm-rights/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LaunchError } from '../errors.ts';
import { answerSeccomp, type SeccompQuestion } from './answer-seccomp.ts';

let directory: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'agent-'));
  // Whatever lasts is opened now.
  const [a, b] = socketpair('stream');
  await readiness.wait(a, 'writable');
  a.close();
  b.close();
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

type Given = { pidfd: OwnedFd; path?: string; arg?: string; done?: string[] };

function question({
  pidfd,
  path = join(directory, 'nobody'),
  arg = '0',
  done = [],
}: Given): SeccompQuestion {
  return {
    message: { type: 'procSeccomp', flags: 0, arg },
    child: { pid: 42, pidfd },
    container: { id: 'demo', pid: 41, status: 'running' },
    agent: {
      path,
      metadata: undefined,
      ociVersion: '1.3.0',
      bundle: '/bundle',
      annotations: {},
    },
    acknowledge: async () => void done.push('acknowledged'),
    signal: AbortSignal.timeout(30_000),
  };
}

/** What an agent gets on its first connection. */
async function received(stream: UnixStream): Promise<{ text: string; fds: OwnedFd[] }> {
  const fds: OwnedFd[] = [];
  stream.on('fds', (more) => fds.push(...(more as OwnedFd[])));
  let text = '';
  for await (const part of stream) text += String(part);
  return { text, fds };
}

describe('answerSeccomp', () => {
  it('answerSeccomp answers the child, then hands a copy of the listener to the agent', async () => {
    const path = join(directory, 'agent.sock');
    const done: string[] = [];
    await withoutFdLeak(async () => {
      // This process stands for the child, and a file for the listener.
      using pidfd = pidfdOpen(process.pid);
      using listener = memfdFrom('listener', Buffer.from('the listener'));
      using server = listenStream(path);
      const accepting = server.accept().then((stream) => {
        done.push('connected');
        return received(stream);
      });
      await answerSeccomp(question({ pidfd, path, arg: String(listener.fd), done }));
      const { text, fds } = await accepting;
      expect(done).toEqual(['acknowledged', 'connected']);
      expect(text).toBe(
        '{"ociVersion":"1.3.0","fds":["seccompFd"],"pid":42,"state":{"ociVersion":"1.3.0","id":"demo","status":"running","pid":41,"bundle":"/bundle"}}',
      );
      expect(fds.map((fd) => Buffer.from(memfdRead(fd)).toString())).toEqual(['the listener']);
      for (const fd of fds) fd.close();
    });
  });

  it('answerSeccomp says which agent cannot be reached, and closes its copy', async () => {
    await withoutFdLeak(async () => {
      using pidfd = pidfdOpen(process.pid);
      const done: string[] = [];
      const failure = await answerSeccomp(question({ pidfd, done })).catch(
        (error: unknown) => error,
      );
      expect(failure).toBeInstanceOf(LaunchError);
      expect(failure).toMatchObject({
        step: 'seccomp',
        path: join(directory, 'nobody'),
        errnoCode: 'ENOENT',
        hint: expect.stringContaining('linux.seccomp.listenerPath'),
      });
      // The child does not wait for that.
      expect(done).toEqual(['acknowledged']);
    });
  });

  it.each([
    ['a number that the child does not have open', '1000000', 'ERR_INIT_LAUNCH'],
    ['no number', '"x"', 'ERR_SYNC_MALFORMED_ARG'],
    ['nothing', '', 'ERR_SYNC_MALFORMED_ARG'],
  ])('answerSeccomp does not answer %s', async (_, arg, code) => {
    using pidfd = pidfdOpen(process.pid);
    const done: string[] = [];
    const failure = await answerSeccomp(question({ pidfd, arg, done })).catch(
      (error: unknown) => error,
    );
    expect(failure).toMatchObject({ code });
    expect(done).toEqual([]);
  });
});
