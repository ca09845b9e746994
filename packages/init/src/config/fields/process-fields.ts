import { honoured, ignored, refused, rows, type SpecField } from './spec-field.ts';

const inside = 'e2e/src/init-inside.test.ts';
const terminal = honoured('src/child/console.ts', inside);
const user = honoured('src/child/credentials.ts', inside);
const capabilities = honoured('src/plan/capabilities.ts', inside);
const rlimits = honoured('src/plan/rlimits.ts', inside);
const attributes = 'e2e/src/init-attributes.test.ts';
const labels = 'packages/init/src/lsm/labels.test.ts';
const appArmor = honoured('src/child/security-labels.ts', labels, 'a kernel that runs AppArmor');
const selinux = honoured('src/child/security-labels.ts', labels, 'a kernel that runs SELinux');
const scheduler = honoured('src/plan/scheduler.ts', attributes);
const ioPriority = honoured('src/plan/scheduler.ts', attributes);
const clamp = refused('the specification has no value that it could clamp to');
const execCPUAffinity = honoured('src/plan/plan-exec.ts', 'e2e/src/init-exec.test.ts');

/** `process`: the program and what it is given. */
export const processFields = (): SpecField[] => [
  ...rows(terminal, {
    '1.0.0': ['process.terminal', 'process.consoleSize.height', 'process.consoleSize.width'],
  }),
  ...rows(honoured('src/child/working-directory.ts', inside), { '1.0.0': ['process.cwd'] }),
  ...rows(honoured('src/child/environment.ts', inside), { '1.0.0': ['process.env'] }),
  ...rows(honoured('src/child/program.ts', inside), { '1.0.0': ['process.args'] }),
  ...rows(ignored('a command line is what Windows has; Linux has process.args'), {
    '1.0.2': ['process.commandLine'],
  }),
  ...rows(user, {
    '1.0.0': ['process.user.uid', 'process.user.gid', 'process.user.additionalGids'],
    '1.0.2': ['process.user.umask'],
  }),
  ...rows(refused('on Linux a user is named by uid and gid'), {
    '1.0.0': ['process.user.username'],
  }),
  ...rows(capabilities, {
    '1.0.0': [
      'process.capabilities.effective',
      'process.capabilities.bounding',
      'process.capabilities.inheritable',
      'process.capabilities.permitted',
      'process.capabilities.ambient',
    ],
  }),
  ...rows(rlimits, {
    '1.0.0': ['process.rlimits[].type', 'process.rlimits[].soft', 'process.rlimits[].hard'],
  }),
  ...rows(user, { '1.0.0': ['process.noNewPrivileges'] }),
  ...rows(honoured('src/child/stages.ts', 'e2e/src/init-runc.test.ts'), {
    '1.0.0': ['process.oomScoreAdj'],
  }),
  ...rows(appArmor, { '1.0.0': ['process.apparmorProfile'] }),
  ...rows(selinux, { '1.0.0': ['process.selinuxLabel'] }),
  ...rows(scheduler, {
    '1.1.0': [
      'process.scheduler.policy',
      'process.scheduler.nice',
      'process.scheduler.priority',
      'process.scheduler.flags',
      'process.scheduler.runtime',
      'process.scheduler.deadline',
      'process.scheduler.period',
    ],
  }),
  ...rows(refused('no Linux kernel has it'), { '1.1.0': ['process.scheduler.policy=SCHED_ISO'] }),
  ...rows(clamp, {
    '1.1.0': [
      'process.scheduler.flags[]=SCHED_FLAG_UTIL_CLAMP_MIN',
      'process.scheduler.flags[]=SCHED_FLAG_UTIL_CLAMP_MAX',
    ],
  }),
  ...rows(ioPriority, { '1.1.0': ['process.ioPriority.class', 'process.ioPriority.priority'] }),
  ...rows(execCPUAffinity, {
    '1.2.1': ['process.execCPUAffinity.initial', 'process.execCPUAffinity.final'],
  }),
];
