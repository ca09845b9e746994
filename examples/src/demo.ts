// The main job of pilotlight on real input, as a transcript. Run it with `pnpm demo`; it wants root.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hostRootSpec } from '@pilotlight/init';
import { openStore } from '@pilotlight/process-store';
import { type MadeBundle, makeBundle, writeSpec } from './busybox-bundle.ts';
import { phaseChart } from './phase-chart.ts';

const launcher = fileURLToPath(new URL('../../bin/pilotlight', import.meta.url));
const say = (text = ''): void => void process.stdout.write(`${text}\n`);

/** A claim of the transcript that did not come true. */
class BrokenClaim extends Error {}

function claim(holds: boolean, sentence: string): void {
  if (!holds) throw new BrokenClaim(sentence);
  say(`   ok: ${sentence}`);
}

/** One run of the demo: its directory, its store, and commands on it. */
class Demo {
  readonly directory: string = mkdtempSync(join(tmpdir(), 'pilotlight-demo-'));
  readonly root: string = join(this.directory, 'store');
  #step = 0;

  step(title: string): void {
    this.#step += 1;
    say();
    say(`${this.#step}. ${title}`);
  }

  /** Runs the command line, shows what is typed and what comes, and returns the rest. */
  pilotlight(args: string[], { detached = false } = {}): ReturnType<typeof this.run> {
    say(`   $ pilotlight ${args.map(quoted).join(' ')}`);
    const result = this.run(args, detached);
    for (const line of `${result.stdout}${result.stderr}`.split('\n')) {
      if (line !== '') say(`   | ${line}`);
    }
    return result;
  }

  run(
    args: string[],
    detached: boolean,
  ): { status: number | null; stdout: string; stderr: string; pid: number } {
    const { status, stdout, stderr, pid } = spawnSync(launcher, ['--root', this.root, ...args], {
      encoding: 'utf8',
      // What runs on would hold a pipe open, and we would wait for its end.
      stdio: detached ? ['ignore', 'ignore', 'ignore'] : ['ignore', 'pipe', 'pipe'],
    });
    return { status, stdout: stdout ?? '', stderr: stderr ?? '', pid };
  }

  remove(): void {
    for (const id of this.run(['list', '--quiet'], false).stdout.split('\n')) {
      if (id !== '') this.run(['delete', '--force', id], false);
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function quoted(word: string): string {
  return /^[\w./=:-]+$/.test(word) ? word : `'${word}'`;
}

function commandOnHostRoot(demo: Demo): void {
  demo.step("A command line on this machine's own root, read-only, in namespaces of its own:");
  const hasPs = spawnSync('sh', ['-c', 'command -v ps']).status === 0;
  if (!hasPs) say('   (there is no ps on this machine: the numbers in /proc stand for it)');
  const script = `id; hostname; ${hasPs ? 'ps ax' : 'cd /proc; echo [0-9]*'}`;
  const { status, stdout } = demo.pilotlight(['run', '--', 'sh', '-c', script]);
  const lines = stdout.trim().split('\n');
  claim(status === 0, 'exit status 0');
  claim(lines[0]?.startsWith('uid=0') === true, 'the program is root inside');
  claim(lines[1] === 'pilotlight', 'the host name is its own');
  claim(
    lines.length <= 6 && / ?1 /.test(lines.slice(2).join('\n')),
    'it sees only its own processes, and is number 1',
  );
}

function bundleInForeground(demo: Demo): MadeBundle {
  demo.step('An OCI bundle made on the spot, in the foreground; it exits with 7:');
  const bundle = makeBundle(join(demo.directory, 'bundle'), 'echo hello from the bundle; exit 7');
  say(`   (root file system: ${bundle.origin}; config.json: the stock one, no terminal)`);
  const { status, stdout } = demo.pilotlight(['run', '--bundle', bundle.path, 'foreground']);
  claim(stdout === 'hello from the bundle\n', 'its output is ours');
  claim(status === 7, 'its exit status 7 is that of pilotlight');
  return bundle;
}

async function bundleDetached(demo: Demo, { path }: MadeBundle): Promise<void> {
  demo.step('The same bundle detached; whoever launched it is gone when it ends with 9:');
  writeSpec(path, 'sleep 1; exit 9', () => undefined);
  const launched = demo.pilotlight(['run', '--detach', '--bundle', path, 'detached'], {
    detached: true,
  });
  claim(launched.status === 0, 'pilotlight returned at once, with 0');
  claim(
    !existsSync(`/proc/${launched.pid}`),
    `process ${launched.pid}, which launched it, is gone`,
  );
  const { pid } = JSON.parse(demo.pilotlight(['state', 'detached']).stdout) as { pid: number };
  claim(
    existsSync(`/proc/${pid}`),
    `process ${pid}, which it launched, runs, child of ${parentOf(pid)}`,
  );
  const { stdout } = demo.pilotlight(['wait', 'detached']);
  await using store = await openStore(demo.root);
  if ((await store.tier()) === 'A') {
    claim(stdout === '9\n', 'a new process learnt the true status');
  } else {
    claim(
      stdout === 'unknown\n',
      'this kernel keeps no status (Linux 6.15 does), and we do not invent one',
    );
  }
  claim(demo.pilotlight(['delete', 'detached']).status === 0, 'and its record can go');
}

function parentOf(pid: number): string {
  return /^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '?';
}

function failingLaunch(demo: Demo, { path }: MadeBundle): void {
  demo.step('A launch that fails, because the source of a bind mount does not exist:');
  const source = join(demo.directory, 'not-there');
  writeSpec(path, 'exit 0', (spec) => {
    spec.mounts?.push({ destination: '/data', type: 'bind', source, options: ['rbind'] });
  });
  const { status, stderr } = demo.pilotlight(['run', '--bundle', path, 'failing']);
  claim(status === 125, "exit status 125: our own failure, not the program's");
  claim(stderr.includes('step: mounts'), 'the step is named');
  claim(stderr.includes(`path: ${source}`), 'and the path');
  claim(stderr.includes('errno: ENOENT'), 'and the errno');
  claim(stderr.includes('hint: '), 'and what to do');
  claim(demo.run(['list', '--quiet'], false).stdout === '', 'nothing of it is left in the store');
}

async function phasesOfLaunch(demo: Demo): Promise<void> {
  demo.step('Through the library: what a launch spends its time on, with a zygote that is warm:');
  await using store = await openStore(demo.root);
  const spec = hostRootSpec({ args: ['true'] });
  for (const id of ['first', 'second']) {
    const launched = await store.launch({ id, spec, bundle: '/' });
    const exit = await launched.wait();
    if (id === 'second') {
      for (const line of phaseChart(launched.phases)) say(`   ${line}`);
      claim(launched.phases.length >= 4, 'every phase has a name and a time');
      claim(exit.kind === 'exited' && exit.code === 0, 'the program exited with 0');
    }
    await launched.remove();
  }
}

async function main(): Promise<number> {
  if (process.geteuid?.() !== 0) {
    say(
      'This demo makes namespaces and mounts, which needs root. Run it again as root: sudo pnpm demo',
    );
    return 1;
  }
  say('pilotlight demo: the main job, on this machine. All it makes is removed again.');
  const demo = new Demo();
  try {
    commandOnHostRoot(demo);
    const bundle = bundleInForeground(demo);
    await bundleDetached(demo, bundle);
    failingLaunch(demo, bundle);
    await phasesOfLaunch(demo);
  } catch (error) {
    if (!(error instanceof BrokenClaim)) throw error;
    say(`   BROKEN: ${error.message}`);
    return 1;
  } finally {
    demo.remove();
  }
  claim(!existsSync(demo.directory), 'and everything is cleaned up');
  say();
  say('All claims hold.');
  return 0;
}

process.exitCode = await main();
