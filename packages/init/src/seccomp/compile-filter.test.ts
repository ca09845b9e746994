import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type {
  OciSeccomp,
  OciSeccompAction,
  OciSeccompArg,
  OciSeccompRule,
} from '../config/spec/seccomp.ts';
import { UnsupportedConfigError } from '../errors.ts';
import type { Libseccomp } from '../syscall/libseccomp.ts';
import { compileFilter } from './compile-filter.ts';
import { seccompOperators } from './names.ts';
import { planProfile } from './plan-profile.ts';
import { evaluateFilter } from './testing/evaluate-filter.ts';
import { installedLibseccomp } from './testing/installed.ts';
import { returnValueOf } from './testing/model.ts';

const installed = installedLibseccomp();
const lacking = installed === undefined ? ' (needs libseccomp.so.2)' : '';
const lackingX86 = process.arch === 'x64' ? lacking : `${lacking} (needs x86-64)`;

const ALLOW = 0x7fff_0000;
const KILL = 0;
const ENOSYS = 0x0005_0000 + 38;
const EPERM = 0x0005_0000 + 1;
const X86_64 = 0xc000_003e;
const I386 = 0x4000_0003;
const X32_BIT = 0x4000_0000;

const compile = (profile: OciSeccomp, library = installed!): Uint8Array =>
  compileFilter(planProfile(profile), library);

/** What the filter returns for a call of this machine's architecture. */
function returned(filter: Uint8Array, name: string, args: readonly bigint[] = []): number {
  const nr = installed!.syscall(name)!;
  return evaluateFilter(filter, { nr, arch: installed!.nativeArchitecture, args });
}

const names = ['read', 'openat', 'mkdirat', 'prctl', 'personality', 'clone', 'ioctl', 'socket'];
const actions: OciSeccompAction[] = [
  'SCMP_ACT_KILL',
  'SCMP_ACT_KILL_PROCESS',
  'SCMP_ACT_KILL_THREAD',
  'SCMP_ACT_TRAP',
  'SCMP_ACT_ERRNO',
  'SCMP_ACT_TRACE',
  'SCMP_ACT_ALLOW',
  'SCMP_ACT_LOG',
];

/** Where comparisons turn, in both halves of 64 bits. */
const value = fc.oneof(
  fc.constantFrom(0n, 1n, 2n, 0xffff_ffffn, 0x1_0000_0000n, 0x1_0000_0001n, 2n ** 64n - 1n),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
);
const arg: fc.Arbitrary<OciSeccompArg> = fc
  .record({
    index: fc.nat({ max: 5 }),
    value,
    other: value,
    op: fc.constantFrom(...(Object.keys(seccompOperators) as OciSeccompArg['op'][])),
  })
  .map(({ other, ...rest }) => ({ ...rest, valueTwo: other & rest.value }));

/** Tests that all must hold. */
const conjunction = fc.uniqueArray(arg, { selector: ({ index }) => index, maxLength: 6 });
/** Tests of which one must hold. */
const alternatives = fc
  .tuple(fc.nat({ max: 5 }), fc.array(value, { minLength: 2, maxLength: 5 }))
  .map(([index, values]) =>
    values.map((wanted): OciSeccompArg => ({ index, value: wanted, op: 'SCMP_CMP_EQ' })),
  );

/**
 * One entry for each name, and no alternatives that overlap: where several could match, libseccomp
 * 2.5.4 does not always find one, for example 2 for "at most 2^32" beside "at most 0". Under runc
 * it is the same.
 */
const profiles: fc.Arbitrary<OciSeccomp> = fc
  .record({
    defaultAction: fc.constantFrom(...actions),
    rules: fc.uniqueArray(
      fc.record({
        name: fc.constantFrom(...names),
        action: fc.constantFrom(...actions),
        errnoRet: fc.option(fc.nat({ max: 4094 })),
        args: fc.oneof(conjunction, alternatives),
      }),
      { selector: ({ name }) => name },
    ),
  })
  .map(({ defaultAction, rules }) => ({
    defaultAction,
    syscalls: rules.map(({ name, action, errnoRet, args }): OciSeccompRule => ({
      names: [name, 'no_such_call'],
      action,
      ...(errnoRet !== null && ['SCMP_ACT_ERRNO', 'SCMP_ACT_TRACE'].includes(action)
        ? { errnoRet }
        : {}),
      args,
    })),
  }));

describe.skipIf(lacking !== '')(`compileFilter${lacking}`, () => {
  it('compileFilter makes a filter that does what the specification says', () => {
    const calls = fc.array(fc.array(value, { minLength: 6, maxLength: 6 }), { minLength: 4 });
    fc.assert(
      fc.property(profiles, calls, (profile, argumentLists) => {
        const filter = compile(profile);
        // Not above what the profile names: that is the stub's, below.
        const named = (profile.syscalls ?? []).map((rule) => rule.names[0]!);
        for (const name of named.length === 0 ? [] : [...named, 'read']) {
          for (const args of argumentLists) {
            expect(returned(filter, name, args)).toBe(returnValueOf(profile, name, args));
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  it('compileFilter finds every one of many names, by a tree as well', () => {
    const many = Array.from({ length: 300 }, (_, nr) => nr);
    const known = ['read', 'write', 'openat', 'close', 'mmap', 'munmap', 'brk', 'ioctl', 'lseek']
      .concat(['readv', 'writev', 'pipe2', 'dup', 'dup3', 'nanosleep', 'getpid', 'socket'])
      .concat(['connect', 'sendto', 'recvfrom', 'clone', 'execve', 'exit', 'wait4', 'kill'])
      .concat(['uname', 'fcntl', 'flock', 'fsync', 'getcwd', 'chdir', 'fchdir', 'umask', 'sysinfo'])
      .concat(['times', 'ptrace', 'getuid', 'syslog', 'setuid', 'setsid', 'statx']);
    expect(known.length).toBeGreaterThan(33);
    const filter = compile({
      defaultAction: 'SCMP_ACT_ERRNO',
      syscalls: [{ names: known, action: 'SCMP_ACT_ALLOW' }],
    });
    const allowed = new Set(known.map((name) => installed!.syscall(name)));
    const arch = installed!.nativeArchitecture;
    expect(many.filter((nr) => evaluateFilter(filter, { nr, arch }) === ALLOW)).toEqual(
      many.filter((nr) => allowed.has(nr)),
    );
  });

  it('compileFilter needs no rule, nor one that does more than the default', () => {
    const filter = compile({
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: names, action: 'SCMP_ACT_ALLOW' }],
    });
    expect(returned(filter, 'read')).toBe(ALLOW);
    expect(returned(compile({ defaultAction: 'SCMP_ACT_KILL_PROCESS' }), 'read')).toBe(0x8000_0000);
  });

  it('compileFilter answers calls younger than a refusing profile with ENOSYS', () => {
    const syscalls: OciSeccompRule[] = [{ names: ['statx'], action: 'SCMP_ACT_ALLOW' }];
    const filter = compile({ defaultAction: 'SCMP_ACT_ERRNO', syscalls });
    expect(returned(filter, 'statx')).toBe(ALLOW);
    expect(returned(filter, 'read')).toBe(EPERM);
    expect(returned(filter, 'openat2')).toBe(ENOSYS);
    const killing = compile({ defaultAction: 'SCMP_ACT_KILL', syscalls });
    expect(returned(killing, 'read')).toBe(KILL);
    expect(returned(killing, 'openat2')).toBe(ENOSYS);
    const open = compile({
      defaultAction: 'SCMP_ACT_LOG',
      syscalls: [{ names: ['statx'], action: 'SCMP_ACT_KILL' }],
    });
    expect(returned(open, 'openat2')).toBe(0x7ffc_0000);
  });

  it('compileFilter counts what a profile names to refuse it as known', () => {
    const filter = compile({
      defaultAction: 'SCMP_ACT_ERRNO',
      syscalls: [
        { names: ['read'], action: 'SCMP_ACT_ALLOW' },
        { names: ['openat2'], action: 'SCMP_ACT_ERRNO' },
      ],
    });
    expect(returned(filter, 'openat2')).toBe(EPERM);
  });

  it('compileFilter names what contradicts an earlier rule', () => {
    const syscalls: OciSeccompRule[] = [
      {
        names: ['read'],
        action: 'SCMP_ACT_KILL',
        args: [{ index: 0, value: 7, op: 'SCMP_CMP_EQ' }],
      },
      {
        names: ['mkdirat', 'read'],
        action: 'SCMP_ACT_ALLOW',
        args: [{ index: 0, value: 7, op: 'SCMP_CMP_EQ' }],
      },
    ];
    expect(() => compile({ defaultAction: 'SCMP_ACT_ERRNO', syscalls })).toThrow(
      expect.objectContaining({
        field: 'linux.seccomp.syscalls[1]',
        message: expect.stringMatching(/rule for read contradicts an earlier one/),
      }),
    );
  });

  it('compileFilter refuses architectures that this libseccomp or machine does not have', () => {
    const withArch = (name: string): OciSeccomp => ({
      defaultAction: 'SCMP_ACT_ALLOW',
      architectures: [name],
    });
    expect(() => compile(withArch('SCMP_ARCH_ENIAC'))).toThrow(
      expect.objectContaining({
        field: 'linux.seccomp.architectures[0]',
        message: expect.stringMatching(/libseccomp \d+\.\d+\.\d+ does not know SCMP_ARCH_ENIAC/),
      }),
    );
    // Another byte order.
    expect(() => compile(withArch('SCMP_ARCH_S390X'))).toThrow(/cannot combine/);
  });

  it('compileFilter refuses a filter that is longer than the kernel takes', () => {
    const args = Array.from({ length: 4500 }, (_, value_): OciSeccompArg => ({
      index: 0,
      value: value_ * 3,
      op: 'SCMP_CMP_EQ',
    }));
    expect(() =>
      compile({
        defaultAction: 'SCMP_ACT_ERRNO',
        syscalls: [{ names: ['personality'], action: 'SCMP_ACT_ALLOW', args }],
      }),
    ).toThrow(/has \d+ instructions, and the kernel takes 4096/);
  });
});

describe.skipIf(lackingX86 !== '')(`compileFilter for several architectures${lackingX86}`, () => {
  const filter = (architectures: string[]): Uint8Array =>
    installed === undefined
      ? new Uint8Array()
      : compile({
          defaultAction: 'SCMP_ACT_ERRNO',
          architectures,
          syscalls: [{ names: ['mkdir', 'socketcall', 'statx'], action: 'SCMP_ACT_ALLOW' }],
        });
  const both = filter(['SCMP_ARCH_X86']);
  const all = filter(['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32']);

  it.each<[string, Uint8Array, number, number, number]>([
    ['mkdir of x86-64', both, X86_64, 83, ALLOW],
    ['mkdir of i386', both, I386, 39, ALLOW],
    ['socketcall, which only i386 has', both, I386, 102, ALLOW],
    ['getuid, which has that number on x86-64', both, X86_64, 102, EPERM],
    ['read of i386', both, I386, 3, EPERM],
    ['statx of i386', both, I386, 383, ALLOW],
    ['openat2 of i386', both, I386, 437, ENOSYS],
    ['openat2', both, X86_64, 437, ENOSYS],
    ['mkdir of x32, which is not listed', both, X86_64, X32_BIT + 83, KILL],
    ['mkdir of arm64, which is not listed', both, 0xc000_00b7, 34, KILL],
    ['mkdir of x32', all, X86_64, X32_BIT + 83, ALLOW],
    ['read of x32', all, X86_64, X32_BIT, EPERM],
    ['openat2 of x32', all, X86_64, X32_BIT + 437, ENOSYS],
    ['openat2 beside x32', all, X86_64, 437, ENOSYS],
    ['mkdir beside x32', all, X86_64, 83, ALLOW],
  ])('compileFilter: %s', (_, program, arch, nr, expected) => {
    expect(evaluateFilter(program, { nr, arch })).toBe(expected);
  });
});

describe('compileFilter with an old libseccomp', () => {
  const old = (part: Partial<Libseccomp>): Libseccomp => ({
    version: '2.3.0',
    nativeArchitecture: X86_64,
    architecture: () => X86_64,
    syscall: () => 7,
    syscallOf: () => 7,
    newFilter: () => undefined,
    ...part,
  });

  it('compileFilter says which libseccomp does not know the default action', () => {
    const profile: OciSeccomp = { defaultAction: 'SCMP_ACT_LOG' };
    expect(() => compile(profile, old({}))).toThrow(UnsupportedConfigError);
    expect(() => compile(profile, old({}))).toThrow(/libseccomp 2\.3\.0 does not know this action/);
  });

  it('compileFilter releases the filter when a rule is not taken', () => {
    const done: string[] = [];
    const library = old({
      newFilter: () => ({
        addArchitecture: () => 0,
        addRule: () => -22,
        optimize: () => -22,
        exportBpf: () => new Uint8Array(),
        release: () => void done.push('release'),
      }),
    });
    const profile: OciSeccomp = {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['poll'], action: 'SCMP_ACT_KILL_PROCESS' }],
    };
    expect(() => compile(profile, library)).toThrow(/does not take the rule for poll \(error 22\)/);
    expect(done).toEqual(['release']);
  });
});
