// Whatever state the launching process is in, launches work, and nothing of that state reaches the zygote.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { startZygote } from '@pilotlight/init';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { useCleanBundle } from './clean-bundle.ts';
import { missing, newId, runIn, shellSpec } from './init-bundle.ts';

const lacking = missing('root', 'busybox-static');
const library = fileURLToPath(import.meta.resolve('@pilotlight/init'));
/** As it is published; Node strips the types of sources by WebAssembly, which not every Node here has. */
const built = fileURLToPath(new URL('../dist/index.js', pathToFileURL(library)));
const run = promisify(execFile);

describe.skipIf(lacking !== '')(`launching from a process${lacking}`, () => {
  const bundle = useCleanBundle();
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'pilotlight-parents-'));
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  /** A program of its own that launches with everything ignored and ends with the container's code. */
  async function endOf(
    program: { before?: string; zygote?: string; launches?: number },
    node: { flags?: string[]; env?: NodeJS.ProcessEnv } = {},
  ): Promise<{ code: number; stdout: string; stderr: string }> {
    const { before = '', zygote = '{}', launches = 1 } = program;
    const config = { spec: shellSpec('exit 41'), bundle: bundle.path };
    const file = join(directory, 'parent.mjs');
    writeFileSync(
      file,
      `import { launch, startZygote } from ${JSON.stringify(built)};
       import { closeSync } from 'node:fs';
       import { isMainThread, Worker } from 'node:worker_threads';
       import { fileURLToPath } from 'node:url';
       const main = async () => {
         const zygote = ${zygote};
         const launches = Array.from({ length: ${launches} }, (_, index) =>
           launch({ id: ${JSON.stringify(newId())} + '-' + index, ...${JSON.stringify(config)} },
             { ...zygote, stdio: ['ignore', 'ignore', 'ignore'] }));
         const codes = await Promise.all(launches.map(async (one) => (await (await one).exited).code));
         if (new Set(codes).size !== 1) throw new Error(String(codes));
         await zygote.zygote?.close();
         return codes[0];
       };
       const worker = new URL(import.meta.url).pathname;
       ${before}
       if (process.exitCode === undefined) process.exitCode = await main();`,
    );
    const env = { PATH: process.env['PATH'], ...node.env };
    try {
      const { stdout, stderr } = await run(process.execPath, [...(node.flags ?? []), file], {
        env,
      });
      return { code: 0, stdout, stderr };
    } catch (error) {
      const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
      return { code, stdout, stderr };
    }
  }
  const fine = { code: 41, stdout: '', stderr: '' };

  it('launch works when all standard streams are closed', async () => {
    expect(await endOf({ before: 'closeSync(0); closeSync(1); closeSync(2);' })).toEqual(fine);
  });

  it('launch works in a worker thread, and lets the process end', async () => {
    const before = `if (isMainThread) {
      const thread = new Worker(worker);
      process.exitCode = await new Promise((resolve, reject) => {
        thread.once('error', reject);
        thread.once('exit', resolve);
      });
    }`;
    expect(await endOf({ before })).toEqual(fine);
  });

  it('launch works with --jitless', async () => {
    // Node itself warns of it on standard error.
    expect((await endOf({}, { flags: ['--jitless'] })).code).toBe(41);
  });

  it('launch works with NODE_OPTIONS that would keep the zygote from forking', async () => {
    const poison = join(directory, 'poison.cjs');
    // In every Node that reads NODE_OPTIONS: threads, work on the pool, and noise.
    writeFileSync(
      poison,
      `process.env.POISONED = 'yes';
       if (process.argv[1] && process.argv[1].includes('zygote')) { console.error('poisoned'); process.exit(77); }`,
    );
    const env = { NODE_OPTIONS: `--require ${poison} --stack-trace-limit=3`, NODE_V8_COVERAGE: '' };
    expect(await endOf({}, { env })).toEqual(fine);
  });

  it('launch works with the inspector and a debugger port', async () => {
    const end = await endOf({}, { flags: ['--inspect=127.0.0.1:0'] });
    expect(end.code).toBe(41);
  });

  it('two zygotes of one process work side by side', async () => {
    const first = await startZygote();
    const second = await startZygote({ selfTest: 'full' });
    try {
      const results = await Promise.all(
        [first, second, first, second].map((zygote, index) =>
          runIn(bundle, `exit ${index}`, undefined, { zygote }),
        ),
      );
      expect(results.map(({ status }) => status.code)).toEqual([0, 1, 2, 3]);
      // The end of one is not the end of the other.
      await first.close();
      expect((await runIn(bundle, 'exit 9', undefined, { zygote: second })).status.code).toBe(9);
    } finally {
      await first.close();
      await second.close();
    }
  });

  it('a process that has started a zygote and does nothing ends', async () => {
    const before = `await startZygote(); process.exitCode = 3;`;
    expect(await endOf({ before })).toEqual({ code: 3, stdout: '', stderr: '' });
  });

  it('a zygote that cannot be started says why', async () => {
    await expect(startZygote({ nodePath: '/nonexistent/node' })).rejects.toMatchObject({
      code: 'ERR_INIT_ZYGOTE',
      cause: { code: 'ENOENT' },
    });
    await expect(startZygote({ nodePath: '/bin/false' })).rejects.toMatchObject({
      code: 'ERR_INIT_ZYGOTE',
      exitCode: 1,
    });
    // What it says on standard error is part of the message, and never printed.
    const noisy = join(directory, 'noisy.mjs');
    writeFileSync(
      noisy,
      `import { startZygote } from ${JSON.stringify(library)};
       await startZygote({ nodePath: '/bin/ls' }).catch((error) => console.log(error.message));`,
    );
    const { stdout, stderr } = await run(process.execPath, [noisy]);
    expect(stdout).toMatch(/the zygote ended with \d+; it said: .*ls: unrecognized option/);
    expect(stderr).toBe('');
  });
});
