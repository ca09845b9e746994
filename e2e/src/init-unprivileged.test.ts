// What a caller without rights is told.
import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const run = promisify(execFile);
const nobody = 65_534;
const library = fileURLToPath(import.meta.resolve('@pilotlight/init'));
const isRoot = process.getuid?.() === 0;
/** As root the program is run as somebody else, who must be able to read it. */
const user = isRoot ? { uid: nobody, gid: nobody } : {};
const canRead = await run(process.execPath, ['--check', library], { ...user, cwd: '/' }).then(
  () => true,
  () => false,
);

describe.skipIf(!canRead)(
  `launch without rights${canRead ? '' : ' (needs a checkout that everybody can read)'}`,
  () => {
    let directory: string;
    beforeAll(() => {
      directory = mkdtempSync(join(tmpdir(), 'pilotlight-unprivileged-'));
      chmodSync(directory, 0o755);
    });
    afterAll(() => {
      rmSync(directory, { recursive: true, force: true });
    });

    async function failureOf(spec: string): Promise<Record<string, unknown>> {
      const program = join(directory, 'launch.mjs');
      writeFileSync(
        program,
        `import { hostRootSpec, launch, stockSpec } from ${JSON.stringify(library)};
         const spec = ${spec};
         try {
           await launch({ id: 'unprivileged-${process.pid}', spec, bundle: '/' });
         } catch ({ code, step, errnoCode, hint }) {
           console.log(JSON.stringify({ code, step, errnoCode, hint }));
         }`,
      );
      const { stdout } = await run(process.execPath, [program], { ...user, cwd: '/' });
      return JSON.parse(stdout) as Record<string, unknown>;
    }

    it('launch says that namespaces need root', async () => {
      expect(await failureOf(`hostRootSpec({ args: ['true'] })`)).toEqual({
        code: 'ERR_INIT_LAUNCH',
        step: 'fork',
        errnoCode: 'EPERM',
        hint: expect.stringContaining('launch as root'),
      });
    });

    it('launch says that cgroups need root', async () => {
      // Without a limit in it the launch goes on without a cgroup.
      const spec = `(() => {
        const spec = stockSpec();
        spec.process.terminal = false;
        spec.linux.resources.pids = { limit: 5 };
        return spec;
      })()`;
      expect(await failureOf(spec)).toMatchObject({
        code: 'ERR_INIT_LAUNCH',
        step: 'cgroup',
        hint: expect.stringContaining('root'),
      });
    });
  },
);
