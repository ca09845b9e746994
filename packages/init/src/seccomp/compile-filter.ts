import { UnsupportedConfigError } from '../errors.ts';
import type { Libseccomp, LibseccompFilter } from '../syscall/libseccomp.ts';
import { BPF_INSTRUCTION_BYTES, BPF_MAX_INSTRUCTIONS, encodeBpf } from './bpf-instruction.ts';
import { enosysStub, type HighestSyscalls } from './enosys-stub.ts';
import { libraryArchitecture, seccompActions } from './names.ts';
import type { FilterProfile, FilterRule } from './plan-profile.ts';

const EEXIST = 17;
/** Beyond this many rules a binary tree pays; libseccomp puts four system calls into each of its leaves. */
const TREE_FROM_RULES = 33;
const SCMP_ARCH_X86_64 = 0xc000_003e;
/** What libseccomp calls the x32 ABI; for the kernel it is x86-64. */
const SCMP_ARCH_X32 = 0x4000_003e;
const X32_SYSCALL_BIT = 0x4000_0000;

/**
 * Compiles a profile with libseccomp to the program that the kernel runs for each system call.
 *
 * Synchronous C code, which holds the event loop: a few milliseconds for Docker's default profile
 * of some 400 names, proportional to the number of names times architectures.
 *
 * As with runc, names that this libseccomp does not know are skipped, and so are rules that do what
 * happens by default. See enosys-stub.ts for calls that are younger than the profile.
 *
 * @returns an array of struct sock_filter
 * @throws UnsupportedConfigError for what this libseccomp, or the kernel, cannot do
 */
export function compileFilter(profile: FilterProfile, library: Libseccomp): Uint8Array {
  const architectures = resolveArchitectures(profile, library);
  const filter = library.newFilter(profile.defaultAction);
  if (filter === undefined) {
    throw unsupported('linux.seccomp.defaultAction', 'does not know this action', library);
  }
  try {
    addArchitectures(filter, architectures, library);
    let rules = 0;
    for (const rule of profile.rules) {
      // libseccomp takes it for a mistake.
      if (rule.action === profile.defaultAction) continue;
      rules += addRule(filter, rule, library);
    }
    // Without one rule libseccomp before 2.6 makes no valid tree. A version that has none is slower, and right.
    if (rules >= TREE_FROM_RULES) filter.optimize();
    const program = filter.exportBpf();
    if (typeof program === 'number') {
      throw unsupported('linux.seccomp', `cannot write the filter (error ${-program})`, library);
    }
    return requireSize(withStub(program, profile, architectures, library));
  } finally {
    filter.release();
  }
}

type Architecture = { token: number; field: string };

/** This machine's own first, whether the profile lists it or not. */
function resolveArchitectures(profile: FilterProfile, library: Libseccomp): Architecture[] {
  const tokens = new Map<number, Architecture>();
  tokens.set(library.nativeArchitecture, {
    token: library.nativeArchitecture,
    field: 'linux.seccomp.architectures',
  });
  for (const [index, name] of profile.architectures.entries()) {
    const field = `linux.seccomp.architectures[${index}]`;
    const token = library.architecture(libraryArchitecture(name));
    if (token === undefined) throw unsupported(field, `does not know ${name}`, library);
    if (!tokens.has(token)) tokens.set(token, { token, field });
  }
  return [...tokens.values()];
}

function addArchitectures(
  filter: LibseccompFilter,
  architectures: readonly Architecture[],
  library: Libseccomp,
): void {
  for (const { token, field } of architectures) {
    const result = filter.addArchitecture(token);
    if (result < 0 && result !== -EEXIST) {
      throw unsupported(
        field,
        `cannot combine this architecture with this machine's (error ${-result})`,
        library,
      );
    }
  }
}

/** @returns how many rules were added */
function addRule(filter: LibseccompFilter, rule: FilterRule, library: Libseccomp): number {
  let added = 0;
  for (const name of rule.names) {
    const syscall = library.syscall(name);
    if (syscall === undefined) continue;
    const result = filter.addRule(rule.action, syscall, rule.conditions);
    if (result < 0) {
      const field = `linux.seccomp.syscalls[${rule.index}]`;
      const reason =
        result === -EEXIST
          ? `finds that the rule for ${name} contradicts an earlier one`
          : `does not take the rule for ${name} (error ${-result}); it or the kernel may not know the action`;
      throw unsupported(field, reason, library);
    }
    added++;
  }
  return added;
}

function withStub(
  program: Uint8Array,
  profile: FilterProfile,
  architectures: readonly Architecture[],
  library: Libseccomp,
): Uint8Array {
  if (letsPass(profile.defaultAction)) return program;
  const stub = encodeBpf(enosysStub(highestSyscalls(profile, architectures, library)));
  const whole = new Uint8Array(stub.length + program.length);
  whole.set(stub);
  whole.set(program, stub.length);
  return whole;
}

/** Where calls pass that the profile does not name, the kernel's own answer reaches the program. */
function letsPass(action: number): boolean {
  const { SCMP_ACT_ALLOW, SCMP_ACT_LOG, SCMP_ACT_TRACE } = seccompActions;
  const withoutNumber = (action & 0xffff_0000) >>> 0;
  return [SCMP_ACT_ALLOW, SCMP_ACT_LOG, SCMP_ACT_TRACE].includes(withoutNumber);
}

function highestSyscalls(
  profile: FilterProfile,
  architectures: readonly Architecture[],
  library: Libseccomp,
): HighestSyscalls[] {
  const byAuditArch = new Map<number, HighestSyscalls>();
  const names = new Set(profile.rules.flatMap((rule) => rule.names));
  for (const { token } of architectures) {
    const isX32 = token === SCMP_ARCH_X32;
    const auditArch = isX32 ? SCMP_ARCH_X86_64 : token;
    const entry = byAuditArch.get(auditArch) ?? { auditArch };
    byAuditArch.set(auditArch, entry);
    let highest = -1;
    for (const name of names) highest = Math.max(highest, library.syscallOf(token, name) ?? -1);
    // Also when the architecture has none of the names but numbers of libseccomp's own, below 0.
    if (highest < 0 || (isX32 && highest < X32_SYSCALL_BIT)) continue;
    if (isX32) entry.highestX32 = highest;
    else entry.highest = highest;
  }
  return [...byAuditArch.values()];
}

function requireSize(program: Uint8Array): Uint8Array {
  const instructions = program.length / BPF_INSTRUCTION_BYTES;
  if (instructions <= BPF_MAX_INSTRUCTIONS) return program;
  throw new UnsupportedConfigError(
    'linux.seccomp',
    `its filter has ${instructions} instructions, and the kernel takes ${BPF_MAX_INSTRUCTIONS}`,
    [],
    { hint: 'Shorten the profile: fewer conditions on arguments, or fewer architectures.' },
  );
}

function unsupported(
  field: string,
  reason: string,
  { version }: Libseccomp,
): UnsupportedConfigError {
  return new UnsupportedConfigError(field, `libseccomp ${version} ${reason}`, [], {
    hint: 'Change the profile, or install a newer libseccomp.',
  });
}
