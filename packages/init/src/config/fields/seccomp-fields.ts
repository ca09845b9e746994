import { honoured, rows, type SpecField } from './spec-field.ts';

const beside = 'e2e/src/init-seccomp.test.ts';
const filter = honoured('src/seccomp/compile-filter.ts', beside, 'libseccomp 2.5');
const flags = honoured('src/seccomp/plan-seccomp.ts', beside, 'a kernel that knows the flag');
const errnoRet = honoured(
  'src/seccomp/plan-profile.ts',
  'packages/init/src/seccomp/plan-profile.test.ts',
  'libseccomp 2.5',
);
const listener = honoured('src/parent/answer-seccomp.ts', beside, 'libseccomp 2.5');

/** `linux.seccomp`: which system calls the program may make. */
export const seccompFields = (): SpecField[] => [
  ...rows(filter, {
    '1.0.0': [
      'linux.seccomp.defaultAction',
      'linux.seccomp.architectures',
      'linux.seccomp.syscalls[].names',
      'linux.seccomp.syscalls[].action',
      'linux.seccomp.syscalls[].args[].index',
      'linux.seccomp.syscalls[].args[].value',
      'linux.seccomp.syscalls[].args[].valueTwo',
      'linux.seccomp.syscalls[].args[].op',
    ],
  }),
  ...rows(flags, { '1.0.2': ['linux.seccomp.flags'] }),
  ...rows(errnoRet, {
    '1.1.0': ['linux.seccomp.defaultErrnoRet', 'linux.seccomp.syscalls[].errnoRet'],
  }),
  ...rows(listener, { '1.1.0': ['linux.seccomp.listenerPath', 'linux.seccomp.listenerMetadata'] }),
];
