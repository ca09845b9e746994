import { memfdCreate, memfdRead } from '@pilotlight/scm-rights';
import { loadLibc, loadLibrary } from '@pilotlight/scm-rights/libc';
import type { Condition } from '../seccomp/plan-profile.ts';

/** The soname that libseccomp has had since 2.0. */
const LIBRARY = 'libseccomp.so.2';
/** enum scmp_filter_attr */
const SCMP_FLTATR_CTL_OPTIMIZE = 8;
/** __NR_SCMP_ERROR */
const UNKNOWN_SYSCALL = -1;
/** struct scmp_arg_cmp */
const CONDITION_BYTES = 24;

/** A filter under construction. It holds memory of the library's until it is released. */
export interface LibseccompFilter {
  /** seccomp_arch_add(3). Returns 0 or a negative errno: EEXIST for one that is already there. */
  addArchitecture(token: number): number;
  /** seccomp_rule_add_array(3). Returns 0 or a negative errno. */
  addRule(action: number, syscall: number, conditions: readonly Condition[]): number;
  /** Asks for a binary tree; libseccomp before 2.5 has none and returns a negative errno. */
  optimize(): number;
  /** seccomp_export_bpf(3): the program, as an array of struct sock_filter. Throws what memfd_create(2) does. */
  exportBpf(): Uint8Array | number;
  /** seccomp_release(3) */
  release(): void;
}

/** What we use of the system's libseccomp; section 3 of the manual. */
export interface Libseccomp {
  /** Such as `2.5.4`. */
  readonly version: string;
  /** SCMP_ARCH_… of this machine. */
  readonly nativeArchitecture: number;
  /** By libseccomp's name, for example `x86_64`; undefined for one that this version does not know. */
  architecture(name: string): number | undefined;
  /** By name, for this machine: a number of libseccomp's own, below 0, where only other ones have it. */
  syscall(name: string): number | undefined;
  /** The same for another architecture. */
  syscallOf(architecture: number, name: string): number | undefined;
  /** seccomp_init(3): undefined for an action that this libseccomp or this kernel does not know. */
  newFilter(defaultAction: number): LibseccompFilter | undefined;
}

let loaded: Libseccomp | undefined;

/**
 * Opens the system's libseccomp, version 2.x, on first use.
 *
 * @throws LibraryLoadError when it is not installed, or too old to have what is needed
 */
export function loadLibseccomp(): Libseccomp {
  loaded ??= openLibseccomp();
  return loaded;
}

function openLibseccomp(): Libseccomp {
  const libc = loadLibc();
  const library = loadLibrary(LIBRARY);
  const versionOf = library.func<number | bigint>('seccomp_version', 'size_t', []);
  const init = library.func<number | bigint>('seccomp_init', 'size_t', ['uint']);
  const release = library.func('seccomp_release', 'void', ['size_t']);
  const archAdd = library.func('seccomp_arch_add', 'int', ['size_t', 'uint']);
  const archNative = library.func('seccomp_arch_native', 'uint', []);
  const archResolve = library.func('seccomp_arch_resolve_name', 'uint', ['str']);
  const resolve = library.func('seccomp_syscall_resolve_name', 'int', ['str']);
  const resolveArch = library.func('seccomp_syscall_resolve_name_arch', 'int', ['uint', 'str']);
  const attrSet = library.func('seccomp_attr_set', 'int', ['size_t', 'int', 'uint']);
  const ruleAdd = library.func('seccomp_rule_add_array', 'int', [
    'size_t',
    'uint',
    'int',
    'uint',
    'void *',
  ]);
  const exportTo = library.func('seccomp_export_bpf', 'int', ['size_t', 'int']);
  const memcpy = libc.func('memcpy', 'size_t', ['void *', 'size_t', 'size_t']);

  const known = (number: number): number | undefined =>
    number === UNKNOWN_SYSCALL ? undefined : number;
  const exportBpf = (filter: number | bigint): Uint8Array | number => {
    // A file, because seccomp_export_bpf_mem is younger than what is installed.
    using memfd = memfdCreate('seccomp');
    const result = exportTo(filter, memfd.fd);
    return result < 0 ? result : memfdRead(memfd);
  };

  const version = new Uint32Array(3);
  memcpy(version, versionOf(), version.byteLength);
  return {
    version: version.join('.'),
    nativeArchitecture: archNative(),
    architecture: (name) => archResolve(name) || undefined,
    syscall: (name) => known(resolve(name)),
    syscallOf: (architecture, name) => known(resolveArch(architecture, name)),
    newFilter(defaultAction) {
      const filter = init(defaultAction);
      if (BigInt(filter) === 0n) return undefined;
      return {
        addArchitecture: (token) => archAdd(filter, token),
        addRule: (action, syscall, conditions) =>
          ruleAdd(filter, action, syscall, conditions.length, encodeConditions(conditions)),
        optimize: () => attrSet(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2),
        exportBpf: () => exportBpf(filter),
        release: () => void release(filter),
      };
    },
  };
}

function encodeConditions(conditions: readonly Condition[]): Uint8Array | null {
  if (conditions.length === 0) return null;
  const bytes = new Uint8Array(conditions.length * CONDITION_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [position, { index, operator, datumA, datumB }] of conditions.entries()) {
    const at = position * CONDITION_BYTES;
    view.setUint32(at, index, true);
    view.setUint32(at + 4, operator, true);
    view.setBigUint64(at + 8, datumA, true);
    view.setBigUint64(at + 16, datumB, true);
  }
  return bytes;
}
