import { isSyscallError, type SyscallError } from '@pilotlight/scm-rights';
import type { PlannedLabels } from '../lsm/plan-labels.ts';
import type { Syscall } from '../syscall/syscall.ts';
import { type Procfs, withProcfs } from './procfs.ts';
import { attempting } from './step-failure.ts';

/** Has the next execve(2) enter the profile or domain; proc_pid_attr(5). */
export function setExecLabels(sys: Syscall, labels: PlannedLabels | undefined): void {
  if (labels === undefined) return;
  const { apparmor, selinux } = labels;
  withProcfs(sys, (procfs) => {
    if (apparmor !== undefined) {
      attempting(`set AppArmor profile ${apparmor}`, { hint: appArmorHint }, () =>
        writeAppArmorExec(procfs, `exec ${apparmor}`),
      );
    }
    if (selinux !== undefined) {
      attempting(`set SELinux label ${selinux}`, { hint: selinuxHint }, () =>
        procfs.write('thread-self/attr/exec', selinux),
      );
    }
  });
}

/** The module's own directory first, Linux 5.8: the files beside it belong to whichever module comes first. */
function writeAppArmorExec(procfs: Procfs, text: string): void {
  try {
    procfs.write('thread-self/attr/apparmor/exec', text);
  } catch (error) {
    if (!isSyscallError(error, 'ENOENT')) throw error;
    procfs.write('thread-self/attr/exec', text);
  }
}

/** Runs `join` so that the keyring that it makes is labelled as the program. */
export function withKeyLabel(
  sys: Syscall,
  labels: PlannedLabels | undefined,
  join: () => void,
): void {
  const selinux = labels?.selinux;
  if (selinux === undefined) return join();
  withProcfs(sys, (procfs) => {
    const labelKeys = (label: string): void =>
      attempting(`label keys ${selinux}`, { hint: selinuxHint }, () =>
        procfs.write('thread-self/attr/keycreate', label),
      );
    labelKeys(selinux);
    join();
    // What the program makes itself gets the label that its domain gives: an empty line clears it.
    labelKeys('\n');
  });
}

function appArmorHint({ code }: SyscallError): string | undefined {
  return code === 'ENOENT'
    ? 'The profile is not loaded: apparmor_parser(8) loads it, /sys/kernel/security/apparmor/profiles lists them.'
    : undefined;
}

function selinuxHint({ code }: SyscallError): string | undefined {
  return code === 'EINVAL' || code === 'EACCES'
    ? 'The loaded policy must know the label and allow the launching process to enter it.'
    : undefined;
}
