// A hostile image against the file that its host's Node runs from (CVE-2019-5736). All of it is
// done to a copy of the binary, so that an attack that succeeds is seen and harms nothing.
import { createHash } from 'node:crypto';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  accessSync,
  chmodSync,
  chownSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  launch,
  type OciSpec,
  startZygote,
  type Zygote,
  type ZygoteOptions,
} from '@pilotlight/init';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { useCleanBundle } from './clean-bundle.ts';
import { childrenOf, missing, newId, shellSpec, textOf } from './init-bundle.ts';

const lacking = missing('root', 'busybox-static');
const nobody = 65_534;
const library = fileURLToPath(import.meta.resolve('@pilotlight/init'));
const canRead = await promisify(execFile)(process.execPath, ['--check', library], {
  uid: nobody,
  gid: nobody,
  cwd: '/',
}).then(
  () => true,
  () => false,
);

/** Runs as pid 1, from the host's binary: makes that file its standard input and goes on as a shell. */
const attack = `
  const fs = require('node:fs');
  fs.closeSync(0);
  fs.openSync('/proc/self/exe', 'r');
  process.execve('/bin/sh', ['sh', '/attack.sh'], { PATH: '/bin' });
`;

/** Waits until nobody runs that file any more, which protects it as well, and tries every way to write. */
const attackScript = `
  echo holding
  while [ ! -e /data/go ]; do usleep 10000; done
  mkdir -p /tmp/here; touch /tmp/here/file
  try() { "$@" 2>>/data/said && echo "done: $*"; }
  write() { echo overwritten > /proc/self/fd/0; }
  append() { echo overwritten >> /proc/self/fd/0; }
  try mount -o remount,rw,bind /proc/self/fd/0
  try mount -o bind /proc/self/fd/0 /tmp/here/file && try mount -o remount,rw,bind /tmp/here/file
  try chmod 0777 /proc/self/fd/0
  try write
  try append
  try truncate -s 0 /proc/self/fd/0
  echo tried
`;

const hashOf = (path: string): string =>
  createHash('sha256').update(readFileSync(path)).digest('hex');

describe.skipIf(lacking !== '')(`a hostile image${lacking}`, () => {
  const bundle = useCleanBundle();
  let directory: string;
  let nodePath: string;

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'pilotlight-node-copy-'));
    chmodSync(directory, 0o755);
    nodePath = join(directory, 'node');
    const rootfs = bundle.rootfs;
    // What the host's Node wants to be linked with; a real attacker brings libraries of his own.
    for (const [path] of execFileSync('ldd', [process.execPath], { encoding: 'utf8' }).matchAll(
      /\/\S+/g,
    )) {
      mkdirSync(join(rootfs, dirname(path)), { recursive: true });
      copyFileSync(path, join(rootfs, path));
    }
    symlinkSync('/proc/self/exe', join(rootfs, 'bin/hostile-link'));
    writeFileSync(join(rootfs, 'bin/hostile-script'), '#!/proc/self/exe\n', { mode: 0o755 });
    writeFileSync(join(rootfs, 'attack.cjs'), attack);
    writeFileSync(join(rootfs, 'attack.sh'), attackScript);
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  const withEverything = (spec: OciSpec): void => {
    const names = ['SYS_ADMIN', 'SYS_PTRACE', 'DAC_OVERRIDE', 'FOWNER', 'MKNOD'].map(
      (name) => `CAP_${name}`,
    );
    spec.process.capabilities = { bounding: names, effective: names, permitted: names };
    spec.process.env = ['PATH=/bin', 'NODE_OPTIONS=--require /attack.cjs'];
    spec.root.readonly = false;
  };

  /** @returns what the attackers managed to do, and what they were told */
  async function attackWith(
    args: string[],
    options: ZygoteOptions = {},
  ): Promise<{ output: string; said: string; changed: boolean }> {
    copyFileSync(process.execPath, nodePath);
    const before = hashOf(nodePath);
    rmSync(join(bundle.rootfs, 'data'), { recursive: true });
    mkdirSync(join(bundle.rootfs, 'data'));
    const zygote = await startZygote({ nodePath, ...options });
    try {
      return await attackFrom(zygote, args, before);
    } finally {
      await zygote.close();
    }
  }

  async function attackFrom(
    zygote: Zygote,
    args: string[],
    before: string,
  ): Promise<{ output: string; said: string; changed: boolean }> {
    const spec = shellSpec('', (changed) => {
      withEverything(changed);
      changed.process.args = args;
    });
    const attacker = await launch(
      { id: newId(), spec, bundle: bundle.path },
      { zygote, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    const lines = createInterface({ input: attacker.stdout! });
    const seen: string[] = [];
    lines.on('line', (line) => {
      seen.push(line);
      if (line !== 'holding') return;
      // From here on no process runs from the copy, so that nothing but its mount protects it.
      void zygote.close().then(() => writeFileSync(join(bundle.rootfs, 'data/go'), ''));
    });
    const [, stderr] = await Promise.all([once(lines, 'close'), textOf(attacker.stderr)]);
    await attacker.exited;
    const output = `${seen.join('\n')}\n${stderr}`;
    const said = join(bundle.rootfs, 'data/said');
    return {
      output,
      said: existsSync(said) ? readFileSync(said, 'utf8') : '',
      changed: hashOf(nodePath) !== before,
    };
  }

  const programs = {
    'a link to /proc/self/exe': ['/bin/hostile-link'],
    'a script of /proc/self/exe': ['/bin/hostile-script'],
  };

  for (const [name, args] of Object.entries(programs)) {
    it(`startZygote keeps its binary from ${name}, with CAP_SYS_ADMIN`, async () => {
      const { output, said, changed } = await attackWith(args);
      expect(output).toBe('holding\ntried\n');
      expect(said).toMatch(/Read-only file system/);
      expect(changed).toBe(false);
    });

    it(`without its protection the attack by ${name} succeeds`, async () => {
      const { output, changed } = await attackWith(args, { readOnlyBinary: false });
      expect(output).toContain('done: write');
      expect(changed).toBe(true);
    });
  }

  it.skipIf(!canRead)(
    'startZygote of a user who owns the binary runs from a read-only clone (needs a checkout that everybody can read)',
    async () => {
      copyFileSync(process.execPath, nodePath);
      chownSync(nodePath, nobody, nobody);
      const exe = await zygoteOf(nobody, { nodePath });
      expect(exe.link).toBe('/');
      expect(exe.mayWrite).toBe('EROFS');
    },
  );

  it.skipIf(!canRead)(
    'startZygote leaves a binary as it is that its user cannot change (needs a checkout that everybody can read)',
    async () => {
      copyFileSync(process.execPath, nodePath);
      chownSync(nodePath, 0, 0);
      const exe = await zygoteOf(nobody, { nodePath });
      expect(exe.link).toBe(nodePath);
    },
  );

  it('startZygote of root runs from a read-only clone, under the name of the binary', async () => {
    copyFileSync(process.execPath, nodePath);
    const exe = await zygoteOf(0, { nodePath });
    expect(exe).toMatchObject({ link: '/', mayWrite: 'EROFS' });
    expect(exe.command[0]).toBe(nodePath);
  });

  it('startZygote refuses a script in place of the binary', async () => {
    const script = join(directory, 'node.sh');
    writeFileSync(script, `#!/bin/sh\nexec ${process.execPath} "$@"\n`, { mode: 0o755 });
    await expect(startZygote({ nodePath: script })).rejects.toMatchObject({
      code: 'ERR_INIT_ZYGOTE',
      message: expect.stringContaining('is a script'),
      hint: expect.stringContaining('process.execPath'),
    });
  });

  /** What the file that a zygote runs from looks like to root, while it runs. */
  async function zygoteOf(
    uid: number,
    options: ZygoteOptions,
  ): Promise<{ link: string; mayWrite: string; command: string[] }> {
    const program = join(directory, 'start.mjs');
    writeFileSync(
      program,
      `import { startZygote } from ${JSON.stringify(library)};
       const zygote = await startZygote(${JSON.stringify(options)});
       console.log('ready');
       process.stdin.once('end', () => zygote.close()).resume();`,
    );
    const parent = spawn(process.execPath, [program], {
      uid,
      gid: uid,
      cwd: '/',
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const ended = once(parent, 'exit');
    try {
      await once(parent.stdout, 'data');
      const [zygote] = childrenOf(parent.pid!);
      const exe = `/proc/${zygote}/exe`;
      return {
        link: readlinkSync(exe),
        mayWrite: codeOf(() => accessSync(exe, constants.W_OK)),
        command: readFileSync(`/proc/${zygote}/cmdline`, 'utf8').split('\0'),
      };
    } finally {
      parent.stdin.end();
      await ended;
    }
  }
});

function codeOf(action: () => void): string {
  try {
    action();
    return 'yes';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unknown';
  }
}
