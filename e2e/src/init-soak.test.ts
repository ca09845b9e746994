// Thousands of launches, the way a server makes them: each status is right, and nothing grows.
//
// PILOTLIGHT_SOAK=20000 makes it that many per Node, and prints what it saw.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { launch, type OciSpec, startZygote } from '@pilotlight/init';
import { describe, expect, it } from 'vitest';
import { useCleanBundle } from './clean-bundle.ts';
import { childrenOf, missing, newId, shellSpec } from './init-bundle.ts';

const lacking = missing('root', 'busybox-static');
const launches = Number(process.env['PILOTLIGHT_SOAK'] ?? 2000);
const atOnce = 4;

/** Node 22 is an optional dependency of these tests; the one that runs them is the workspace's. */
function node22(): string | undefined {
  try {
    const name = `node-linux-${process.arch}/package.json`;
    return join(dirname(createRequire(import.meta.url).resolve(name)), 'bin/node');
  } catch {
    return undefined;
  }
}
const nodes = [
  { name: process.version, path: process.execPath },
  { name: 'Node 22', path: node22() },
];

type Size = { fds: number; rssKb: number };

function sizeOf(pid: number): Size {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const [, anonymous = '0'] = /^RssAnon:\s+(\d+) kB$/m.exec(status) ?? [];
  return { fds: readdirSync(`/proc/${pid}/fd`).length, rssKb: Number(anonymous) };
}

describe.skipIf(lacking !== '')(`many launches${lacking}`, () => {
  const bundle = useCleanBundle();

  for (const { name, path } of nodes) {
    const there = path !== undefined && existsSync(path);
    it.skipIf(!there)(
      `${launches} launches by a zygote of ${name} end with their own status, and nothing grows${there ? '' : ' (needs the optional package)'}`,
      { timeout: 20_000 + launches * 60 },
      async () => {
        const zygotes = new Set(childrenOf(process.pid));
        const zygote = await startZygote({ nodePath: path!, selfTest: 'full' });
        try {
          const pid = childrenOf(process.pid).find((child) => !zygotes.has(child))!;
          // The code is decided when the program runs: one shell reads it from its arguments.
          let next = 0;
          const wrong: string[] = [];
          const until = async (end: number): Promise<void> => {
            const worker = async (): Promise<void> => {
              while (next < end) {
                const code = next++ % 256;
                const child = await launch(
                  { id: newId(), spec: shellSpec(`exit ${code}`, small), bundle: bundle.path },
                  { zygote, stdio: ['ignore', 'ignore', 'inherit'] },
                );
                const status = await child.exited;
                if (status.code !== code) wrong.push(`${code} became ${JSON.stringify(status)}`);
              }
            };
            await Promise.all(Array.from({ length: atOnce }, worker));
          };
          // Heaps and tables find their size.
          await until(launches / 4);
          const before = { zygote: sizeOf(pid), parent: sizeOf(process.pid) };
          const start = performance.now();
          await until(launches);
          const seconds = (performance.now() - start) / 1000;
          const after = { zygote: sizeOf(pid), parent: sizeOf(process.pid) };
          if (process.env['PILOTLIGHT_SOAK'] !== undefined) {
            const perSecond = ((launches * 3) / 4 / seconds).toFixed(0);
            process.stdout.write(`${name}: ${JSON.stringify({ perSecond, before, after })}\n`);
          }
          expect(wrong).toEqual([]);
          expect(after.zygote.fds).toBe(before.zygote.fds);
          expect(Math.abs(after.parent.fds - before.parent.fds)).toBeLessThan(16);
          expect(after.zygote.rssKb - before.zygote.rssKb).toBeLessThan(2048);
          // The parent's heap is collected when V8 likes to: only a leak grows past this.
          expect(after.parent.rssKb - before.parent.rssKb).toBeLessThan(80 * 1024);
        } finally {
          await zygote.close();
        }
      },
    );
  }
});

/** No cgroups: on v1 they take most of a launch's time, and have tests of their own. */
function small(spec: OciSpec): void {
  spec.linux!.namespaces = spec.linux!.namespaces!.filter(({ type }) => type !== 'cgroup');
  delete spec.linux!.resources;
  spec.mounts = spec.mounts!.filter(({ type }) => type !== 'cgroup');
}
