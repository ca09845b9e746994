import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { LibcLoadError, UnsupportedPlatformError } from '../errors.ts';

/** What may be passed to a C function: integers, NUL-free strings, memory, addresses, or NULL. */
export type LibcArgument = number | bigint | string | ArrayBufferView | null;

/** A declared C function. Call it, then read {@link Libc.errno} with nothing in between. */
export interface LibcFunction<Result = number> {
  (...args: LibcArgument[]): Result;
  /**
   * Runs the call on a thread of libuv's pool. Memory passed in must live until the callback.
   * While one is outstanding this process must not fork and cannot exit.
   */
  async(...args: [...LibcArgument[], (error: unknown, result: Result) => void]): void;
}

/** The C library of this process. */
export interface Libc {
  /**
   * Declares a function by symbol name, result and parameter types (`'int'`, `'uint'`, `'long'`, `'ulong'`, `'size_t'`,
   * `'str'`, `'void *'`, …). A NUL inside a `'str'` would end it silently: pass it through `cString` first.
   */
  func<Result = number>(
    name: string,
    result: string,
    params: readonly string[],
  ): LibcFunction<Result>;
  /** Errno of this thread, positive. */
  errno(): number;
  /** Address of a buffer's first byte. Valid while somebody holds the buffer: never take it of a temporary. */
  address(memory: ArrayBufferView): bigint;
  /** Raw `syscall(2)`: six `long` operands, missing ones are 0. Returns -1 on failure, as libc does. */
  syscall(number: number, ...operands: (number | bigint)[]): number;
}

export interface LoadLibcOptions {
  /** Path of `koffi.node`; then nothing is looked up in node_modules. Counts only for the load that comes first. */
  koffiModule?: string;
}

/** The version whose package layout {@link koffiModulePath} knows. */
const KOFFI_VERSION = '3.3.4';

interface Koffi {
  load(path: null): {
    func(name: string, result: string, params: string[]): unknown;
  };
  errno(): number;
  address(memory: unknown): bigint;
}

let loaded: Libc | undefined;
let modulePath: string | undefined | null = null;

/**
 * Loads koffi and through it the libc of this process; later calls return the same object.
 *
 * The native module is opened directly, which takes about 1 ms where its JavaScript wrapper takes 10; where that is not
 * possible the `koffi` package is required as usual. Symbols come from the process itself (`dlopen(NULL)`), so glibc and
 * musl are served alike.
 *
 * Throws UnsupportedPlatformError, LibcLoadError.
 */
export function loadLibc(options: LoadLibcOptions = {}): Libc {
  if (loaded !== undefined) return loaded;
  if (process.platform !== 'linux' || (process.arch !== 'x64' && process.arch !== 'arm64')) {
    throw new UnsupportedPlatformError(process.platform, process.arch);
  }
  loaded = openLibc(loadKoffi(options.koffiModule));
  return loaded;
}

/**
 * Path of koffi's native module for this platform, or undefined where it cannot be found (then {@link loadLibc} uses the
 * package). Loads nothing. Hand it to a process that cannot resolve `node_modules`.
 */
export function koffiModulePath(): string | undefined {
  if (modulePath === null) modulePath = findKoffiModule();
  return modulePath;
}

function loadKoffi(given: string | undefined): Koffi {
  if (given !== undefined) {
    try {
      const koffi = dlopenKoffi(given);
      modulePath = given;
      return koffi;
    } catch (cause) {
      throw new LibcLoadError(given, cause);
    }
  }
  const found = koffiModulePath();
  if (found !== undefined) {
    try {
      return dlopenKoffi(found);
    } catch {
      // The package's own loader knows more places and reports better: let it try.
      modulePath = undefined;
    }
  }
  try {
    return createRequire(import.meta.url)('koffi') as Koffi;
  } catch (cause) {
    throw new LibcLoadError('koffi', cause);
  }
}

function dlopenKoffi(path: string): Koffi {
  const container: { exports: unknown } = { exports: {} };
  process.dlopen(container, path);
  return container.exports as Koffi;
}

function findKoffiModule(): string | undefined {
  try {
    const fromHere = createRequire(import.meta.url);
    // With isolated node_modules only koffi itself sees its platform package.
    const fromKoffi = createRequire(fromHere.resolve('koffi'));
    const manifest = fromKoffi.resolve(`@koromix/koffi-linux-${process.arch}/package.json`);
    const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version?: unknown };
    if (version !== KOFFI_VERSION) return undefined;
    const libc = usesMusl() ? 'musl' : 'linux';
    const path = join(dirname(manifest), `${libc}_${process.arch}`, 'koffi.node');
    return existsSync(path) ? path : undefined;
  } catch {
    return undefined;
  }
}

function usesMusl(): boolean {
  return readFileSync('/proc/self/maps', 'latin1').includes('/ld-musl-');
}

function openLibc(koffi: Koffi): Libc {
  try {
    const library = koffi.load(null);
    const func = <Result>(
      name: string,
      result: string,
      params: readonly string[],
    ): LibcFunction<Result> => library.func(name, result, [...params]) as LibcFunction<Result>;
    // Integer operands only, so the variadic prototype and this one agree on both architectures.
    const raw = func<number>('syscall', 'long', [
      'long',
      'long',
      'long',
      'long',
      'long',
      'long',
      'long',
    ]);
    return {
      func,
      errno: () => koffi.errno(),
      address: (memory) => koffi.address(memory),
      syscall: (number, a = 0, b = 0, c = 0, d = 0, e = 0, f = 0) => raw(number, a, b, c, d, e, f),
    };
  } catch (cause) {
    throw new LibcLoadError('libc', cause);
  }
}
