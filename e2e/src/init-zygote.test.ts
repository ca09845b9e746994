// The process that forks: its children's statuses are true whatever happens to it, and it forks many.
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  launch,
  type LaunchedProcess,
  localZygoteFlags,
  startZygote,
  type Zygote,
} from '@pilotlight/init';
import { probePidfd } from '@pilotlight/scm-rights';
import { describe, expect, it } from 'vitest';
import { useCleanBundle } from './clean-bundle.ts';
import { childrenOf, missing, newId, shellSpec } from './init-bundle.ts';

const lacking = missing('root', 'busybox-static');
const support = await probePidfd();

describe.skipIf(lacking !== '')(`zygote${lacking}`, () => {
  const bundle = useCleanBundle();

  const launchScript = (script: string, zygote?: Zygote): Promise<LaunchedProcess> =>
    launch(
      { id: newId(), spec: shellSpec(script), bundle: bundle.path },
      { stdio: ['ignore', 'ignore', 'inherit'], ...(zygote === undefined ? {} : { zygote }) },
    );

  it('launch returns the right status 200 times in a row', async () => {
    for (let round = 0; round < 200; round++) {
      const code = (round * 7) % 256;
      const process = await launchScript(`exit ${code}`);
      expect((await process.exited).code).toBe(code);
    }
  });

  it('launch returns the right status of 50 at once', async () => {
    const rounds = Array.from({ length: 50 }, (_, index) => index);
    const statuses = await Promise.all(
      rounds.map(async (index) => {
        const process = await launchScript(
          index % 5 === 4 ? 'kill -9 $$; sleep 9' : `exit ${index}`,
        );
        return process.exited;
      }),
    );
    // The first process of a pid namespace is immune to a signal that comes from inside.
    expect(statuses.map(({ code }, index) => (index % 5 === 4 ? 'slept' : code))).toEqual(
      rounds.map((index) => (index % 5 === 4 ? 'slept' : index)),
    );
    expect(statuses.every(({ signal }) => signal === null)).toBe(true);
  });

  it('onExit is called with the status while the process is a zombie, and before it is reaped', async () => {
    const seen: string[] = [];
    const process = await launch(
      { id: newId(), spec: shellSpec('exit 9'), bundle: bundle.path },
      {
        async onExit(status) {
          await sleep(20);
          seen.push(`${status.code}`);
          seen.push(/State:\s+(.)/.exec(readFileSync(`/proc/${process.pid}/status`, 'utf8'))![1]!);
        },
      },
    );
    expect((await process.exited).code).toBe(9);
    expect(seen).toEqual(['9', 'Z']);
    expect(() => readFileSync(`/proc/${process.pid}/status`)).toThrow(/ENOENT|ESRCH/);
  });

  it('exited rejects with what onExit threw, and the process is reaped all the same', async () => {
    const failure = new Error('disk full');
    const process = await launch(
      { id: newId(), spec: shellSpec('exit 9'), bundle: bundle.path },
      { onExit: () => Promise.reject(failure) },
    );
    await expect(process.exited).rejects.toBe(failure);
    expect(() => readFileSync(`/proc/${process.pid}/status`)).toThrow(/ENOENT|ESRCH/);
  });

  it('launch kills a process that goes out of scope', async () => {
    let pid: number;
    {
      await using process = await launchScript('sleep 60');
      pid = process.pid;
    }
    expect(() => readFileSync(`/proc/${pid}/status`)).toThrow(/ENOENT|ESRCH/);
  });

  it.skipIf(!support.exitInfo)(
    'a killed zygote takes no status with it, and the next launch gets another (needs Linux 6.15)',
    async () => {
      const running = await launchScript('sleep 0.3; exit 23');
      const [zygote] = childrenOf(process.pid).filter((pid) =>
        childrenOf(pid).includes(running.pid),
      );
      process.kill(zygote!, 'SIGKILL');
      const next = await launchScript('exit 24');
      expect(await Promise.all([next.exited, running.exited])).toMatchObject([
        { code: 24 },
        { code: 23 },
      ]);
      // What the first zygote held is gone, the second one's is there for good.
      bundle.keepWhatIsThere();
    },
  );

  it('localZygote lets a process that was started for it fork without another one', async () => {
    const library = fileURLToPath(import.meta.resolve('@pilotlight/init'));
    const program = join(bundle.path, 'local.mjs');
    writeFileSync(
      program,
      `import { launch, localZygote } from ${JSON.stringify(library)};
       const config = ${JSON.stringify({ id: newId(), spec: shellSpec('ps -o args | tail -1; exit 6'), bundle: bundle.path })};
       const launched = await launch(config, { zygote: localZygote(), stdio: ['ignore', 'inherit', 'inherit'] });
       const { code } = await launched.exited;
       process.exitCode = code;`,
    );
    const run = promisify(execFile);
    await expect(run(process.execPath, [...localZygoteFlags, program])).rejects.toMatchObject({
      code: 6,
      stderr: '',
    });
    // Without the flags it says so.
    await expect(run(process.execPath, [program])).rejects.toMatchObject({
      stderr: expect.stringContaining(localZygoteFlags.join(' ')),
    });
  });

  it('startZygote gives a zygote of its own, which close ends', async () => {
    const zygote = await startZygote();
    const process = await launchScript('exit 5', zygote);
    expect((await process.exited).code).toBe(5);
    await zygote.close();
    await expect(launchScript('exit 5', zygote)).rejects.toThrow(/zygote/);
  });
});
