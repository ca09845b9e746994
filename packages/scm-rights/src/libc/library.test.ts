import { execFile } from 'node:child_process';
import {
  copyFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'tsdown';
import { describe, expect, it } from 'vitest';
import { LibraryLoadError } from '../errors.ts';
import { koffiModulePath, loadLibc, loadLibrary, useLibc } from './library.ts';

const cwd = new URL('../..', import.meta.url);
const run = promisify(execFile);

describe('loadLibc', () => {
  it('loadLibc gives the same libc every time, with working functions and errno', () => {
    const libc = loadLibc();
    expect(loadLibc({ koffiModule: '/nowhere' })).toBe(libc);
    expect(libc.func('getpid', 'int', [])()).toBe(process.pid);
    expect(libc.func('close', 'int', ['int'])(-1)).toBe(-1);
    expect(libc.errno()).toBe(9);
  });

  it('koffiModulePath names the native module of this platform', () => {
    expect(basename(koffiModulePath() ?? '')).toBe('koffi.node');
  });

  it('loadLibc names the module that it was given and could not load', async () => {
    const program = `
      import { loadLibc } from '@pilotlight/scm-rights/libc';
      try { loadLibc({ koffiModule: '/nowhere/koffi.node' }); }
      catch (error) { console.log(error.code, error.message); }`;
    const { stdout } = await run(
      process.execPath,
      ['--conditions=@pilotlight/source', '--input-type=module', '--eval', program],
      { cwd },
    );
    expect(stdout).toMatch(/^ERR_SCM_LIBC_LOAD load \/nowhere\/koffi.node: /);
  });

  it('importing the package loads no native module', async () => {
    const program = `
      import '@pilotlight/scm-rights';
      import '@pilotlight/scm-rights/libc';
      import { readFileSync } from 'node:fs';
      console.log(readFileSync('/proc/self/maps', 'latin1').includes('koffi.node'));`;
    const { stdout } = await run(
      process.execPath,
      ['--conditions=@pilotlight/source', '--input-type=module', '--eval', program],
      { cwd },
    );
    expect(stdout).toBe('false\n');
  });

  it('loadLibc works in one bundled CommonJS file that cannot resolve node_modules', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'bundle-'));
    try {
      const entry = fileURLToPath(new URL('../../test/fixtures/bundled.ts', import.meta.url));
      await build({
        config: false,
        entry: { bundled: entry },
        outDir: dir,
        format: 'cjs',
        platform: 'node',
        dts: false,
        clean: false,
        logLevel: 'silent',
        fixedExtension: true,
        deps: { alwaysBundle: [/.*/] },
        inputOptions: { resolve: { conditionNames: ['@pilotlight/source', 'node', 'import'] } },
      });
      copyFileSync(koffiModulePath()!, join(dir, 'koffi.node'));
      writeFileSync(join(dir, 'package.json'), '{}');
      const file = join(dir, 'bundled.cjs');
      // Without NODE_PATH, which would lead back to the workspace.
      const options = { cwd: dir, env: {} };
      const given = await run(process.execPath, [file, join(dir, 'koffi.node')], options);
      expect(given.stdout).toBe('passed\n');
      await expect(run(process.execPath, [file], options)).rejects.toMatchObject({
        stderr: expect.stringContaining('ERR_SCM_LIBC_LOAD'),
      });
      // And where node_modules can be resolved, a bundle finds koffi like any other module.
      symlinkSync(fileURLToPath(new URL('node_modules', cwd)), join(dir, 'node_modules'));
      expect((await run(process.execPath, [file], options)).stdout).toBe('passed\n');
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});

describe('loadLibrary', () => {
  // By its path: the one shared library that is certainly there.
  const file = loadedLibrary();

  it('loadLibrary calls functions of another library', () => {
    expect(loadLibrary(file).func('abs', 'int', ['int'])(-7)).toBe(7);
  });

  it('loadLibrary names the library that is not there, and what to do', () => {
    expect(() => loadLibrary('libnowhere.so.9')).toThrow(LibraryLoadError);
    expect(() => loadLibrary('libnowhere.so.9')).toThrow(
      expect.objectContaining({
        code: 'ERR_SCM_LIBRARY_LOAD',
        library: 'libnowhere.so.9',
        message: expect.stringMatching(/^load libnowhere\.so\.9: .*shared/),
        hint: expect.stringContaining('libnowhere.so.9'),
      }),
    );
  });

  it('loadLibrary names the function that a library lacks', () => {
    const library = loadLibrary(file);
    expect(() => library.func('no_such_function', 'int', [])).toThrow(
      expect.objectContaining({
        code: 'ERR_SCM_LIBRARY_LOAD',
        message: expect.stringContaining(`load no_such_function of ${file}: `),
      }),
    );
  });

  it('loadLibrary opens nothing behind the back of a replaced libc', () => {
    const without = { ...loadLibc() };
    delete without.open;
    using _used = useLibc(without);
    expect(() => loadLibrary(file)).toThrow(/opens libc only/);
  });
});

/** The file of libc that this process runs with. */
function loadedLibrary(): string {
  const maps = readFileSync('/proc/self/maps', 'latin1');
  return /\S*\/(?:libc\.so\.6|ld-musl-\S+\.so\.1)$/m.exec(maps)![0];
}
