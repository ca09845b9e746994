import type { SyscallError } from '@pilotlight/scm-rights';
import type { PlannedSysctl } from '../plan/sysctl.ts';
import type { Syscall } from '../syscall/syscall.ts';
import { withProcfs } from './procfs.ts';
import { attempting } from './step-failure.ts';

/** Sets kernel parameters of the container's namespaces; proc_sys(5). */
export function setSysctls(sys: Syscall, sysctls: readonly PlannedSysctl[]): void {
  if (sysctls.length === 0) return;
  withProcfs(sys, (procfs) => {
    for (const [index, { name, path, value }] of sysctls.entries()) {
      attempting(`set sysctl ${name}`, { index, hint: sysctlHint }, () =>
        procfs.write(`sys/${path}`, value),
      );
    }
  });
}

function sysctlHint({ code }: SyscallError): string | undefined {
  switch (code) {
    case 'ENOENT':
      return 'This kernel has no such parameter in a namespace of its own: some exist only for the host, others come with a module.';
    case 'EINVAL':
    case 'ERANGE':
      return 'The kernel does not take this value for the parameter.';
    default:
      return undefined;
  }
}
