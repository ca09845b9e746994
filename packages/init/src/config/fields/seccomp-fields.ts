import { later, refused, rows, type SpecField } from './spec-field.ts';

const filter = refused(later);
const listener = refused(later);

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
    '1.0.2': ['linux.seccomp.flags'],
    '1.1.0': ['linux.seccomp.defaultErrnoRet', 'linux.seccomp.syscalls[].errnoRet'],
  }),
  ...rows(listener, { '1.1.0': ['linux.seccomp.listenerPath', 'linux.seccomp.listenerMetadata'] }),
];
