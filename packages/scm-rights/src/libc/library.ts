import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { LibcLoadError, LibraryLoadError, UnsupportedPlatformError } from '../errors.ts';

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

/** A descriptor watched on the event loop: see {@link Libc.watch}. */
export interface FdWatch {
  /** Reports again after {@link stop}. */
  start(): void;
  /** Reports nothing from now on, and keeps nothing alive. */
  stop(): void;
  /** Keeps the process alive while started, as is the case in the beginning. */
  ref(): void;
  /** Lets the process end. */
  unref(): void;
  /** Ends it; before the descriptor is closed. No other call may follow. */
  close(): void;
}

/**
 * The C library of this process, as one small interface: everything in this package that reaches the kernel goes through
 * these few members, so another foreign-function interface than koffi can be put under it with {@link useLibc}.
 */
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
  /**
   * Calls `report` on this thread's event loop, again in each of its turns, for as long as `fd` is readable. What it throws
   * and what it leaves in the queue of microtasks may get lost: it does no more than schedule the work.
   *
   * Absent where the interface cannot, as koffi in a worker; then a thread of libuv's pool waits. A watch must be stopped when
   * the event loop has run out of work: what it reports while Node tears down has nowhere to go.
   */
  watch?(fd: number, report: () => void): FdWatch;
  /**
   * Opens another shared library by file name or path, as dlopen(3) finds it; see {@link loadLibrary}. What it throws is the
   * loader's own error. Absent where the interface cannot.
   */
  open?(name: string): Library;
}

/** Functions of a shared library; {@link Libc.errno} and {@link Libc.address} serve them too. */
export type Library = Pick<Libc, 'func'>;

export interface LoadLibcOptions {
  /** Path of `koffi.node`; then nothing is looked up in node_modules. Counts only for the load that comes first. */
  koffiModule?: string;
}

/** The version whose package layout {@link koffiModulePath} knows. */
const KOFFI_VERSION = '3.3.4';

interface Koffi {
  load(path: string | null): KoffiLibrary;
  errno(): number;
  address(memory: unknown): bigint;
  /** Present since 2.12, not documented: what is missing or of another shape is not used. */
  node?: { poll?: (fd: number, options: { readable: true }, report: () => void) => KoffiPoll };
}

interface KoffiLibrary {
  func(name: string, result: string, params: string[]): unknown;
}

interface KoffiPoll {
  start(options: { readable: true }, report: () => void): void;
  stop(): void;
  ref(): void;
  unref(): void;
  close(): void;
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
 * Opens a shared library of the system that is not part of libc, such as `libseccomp.so.2`. It stays open as long as this
 * process; asking twice gives two views of one library.
 *
 * Throws LibraryLoadError: at once when the library is not there, from `func` when it has no such function. Throws what
 * {@link loadLibc} throws.
 */
export function loadLibrary(name: string): Library {
  const libc = loadLibc();
  let library: Library;
  try {
    if (libc.open === undefined) throw new Error('the foreign-function interface opens libc only');
    library = libc.open(name);
  } catch (cause) {
    throw new LibraryLoadError(name, name, cause);
  }
  return {
    func(symbol, result, params) {
      try {
        return library.func(symbol, result, params);
      } catch (cause) {
        throw new LibraryLoadError(name, `${symbol} of ${name}`, cause);
      }
    },
  };
}

/**
 * Puts `libc` under every call of this package, in place of koffi, until the result is disposed of; with undefined, koffi.
 *
 * Before anything waits or has a descriptor open: functions are declared anew, but nothing that is under way moves over. The
 * replacement must call the same libc symbols, keep memory in place during a call, and leave errno readable after it. For
 * another FFI, and for tests that record or refuse calls.
 */
export function useLibc(libc: Libc | undefined): Disposable {
  const before = loaded;
  loaded = libc;
  return {
    [Symbol.dispose]: () => {
      loaded = before;
    },
  };
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
    const own = koffiLibrary(koffi.load(null));
    // Integer operands only, so the variadic prototype and this one agree on both architectures.
    const raw = own.func('syscall', 'long', [
      'long',
      'long',
      'long',
      'long',
      'long',
      'long',
      'long',
    ]);
    const poll = koffi.node?.poll;
    // Not in a worker: one that is terminated unloads koffi, or refuses its callback, while libuv still calls it.
    const canWatch = typeof poll === 'function' && isMainThread;
    return {
      ...own,
      errno: () => koffi.errno(),
      address: (memory) => koffi.address(memory),
      open: (name) => koffiLibrary(koffi.load(name)),
      syscall: (number, a = 0, b = 0, c = 0, d = 0, e = 0, f = 0) => raw(number, a, b, c, d, e, f),
      ...(canWatch
        ? { watch: (fd, report) => koffiWatch(poll(fd, READABLE, report), report) }
        : {}),
    };
  } catch (cause) {
    throw new LibcLoadError('libc', cause);
  }
}

function koffiLibrary(library: KoffiLibrary): Library {
  return {
    func: <Result>(name: string, result: string, params: readonly string[]) =>
      library.func(name, result, [...params]) as LibcFunction<Result>,
  };
}

const READABLE = { readable: true } as const;

function koffiWatch(handle: KoffiPoll, report: () => void): FdWatch {
  return {
    start: () => handle.start(READABLE, report),
    stop: () => handle.stop(),
    ref: () => handle.ref(),
    unref: () => handle.unref(),
    close: () => handle.close(),
  };
}
