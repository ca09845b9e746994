import { type SyncType, syncTypes } from '@pilotlight/sync';
import { inheritedLimits } from '../parent/inherited-limits.ts';
import type { LaunchConfig, LaunchOptions } from '../parent/launch.ts';
import type { OciHookKind } from '../config/spec/hooks.ts';
import { type LaunchPlan, planLaunch } from '../plan/plan-launch.ts';
import type { ExplainedStep } from './explained-step.ts';
import { namespaceNames } from './namespace-names.ts';
import { rehearseChild, type RehearsedStage } from './rehearse-child.ts';
import { hookSentence, mountSentence, stageSentence } from './stage-sentences.ts';

/**
 * What `launch` would do with the same arguments, in order, without doing any of it: the host is
 * only looked at as far as planning looks at it, which is its mounted cgroups and our own limits.
 *
 * The child's steps are those of the launch itself: its code runs against a double of the kernel
 * that notes each call. The double knows no files, so it takes every place of a mount and every
 * path to mask for one that is there; a launch makes what is missing, and leaves out a mask that
 * covers nothing.
 *
 * @throws InvalidConfigError, UnsupportedConfigError as `launch` does
 */
export function explain(config: LaunchConfig, options: LaunchOptions = {}): ExplainedStep[] {
  const plan = planLaunch({
    ...config,
    inheritedLimits: inheritedLimits(options.nofileSoft),
    noPivot: options.noPivot ?? false,
  });
  const stages = rehearseChild(plan.init, plan.terminal);
  return [
    {
      actor: 'parent',
      step: 'plan',
      what: 'Check the configuration and decide what it leaves open.',
    },
    ...beforeFork(plan),
    forkStep(plan),
    ...afterFork(plan),
    ...stages.flatMap((stage) => childSteps(stage, plan)),
    ...hookSteps(plan, 'poststart'),
    ...whileRunning(options),
    ...(options.poststop === 'caller' ? [] : hookSteps(plan, 'poststop')),
  ];
}

function beforeFork({ cgroup }: LaunchPlan): ExplainedStep[] {
  if (cgroup === undefined) return [];
  const made = cgroup.directories.map(({ path }): ExplainedStep => ({
    actor: 'parent',
    step: 'cgroup',
    what: `Make the cgroup ${path}.`,
    field: 'linux.cgroupsPath',
    calls: ['mkdir'],
  }));
  if (cgroup.deviceRules === undefined) return made;
  const what = `Restrict devices by ${cgroup.deviceRules.length} rules.`;
  return [...made, { actor: 'parent', step: 'cgroup', what, field: 'linux.resources.devices' }];
}

function forkStep({ cloneFlags }: LaunchPlan): ExplainedStep {
  const names = namespaceNames(cloneFlags);
  return {
    actor: 'zygote',
    step: 'fork',
    what: `Fork the child in new namespaces: ${names.join(', ')}.`,
    field: 'linux.namespaces',
    calls: ['clone3'],
  };
}

function hookSteps({ hooks }: LaunchPlan, ...kinds: OciHookKind[]): ExplainedStep[] {
  return kinds.flatMap((kind) => {
    const list = hooks?.[kind] ?? [];
    return list.length === 0
      ? []
      : [{ actor: 'parent', step: kind, ...hookSentence(kind, list) } satisfies ExplainedStep];
  });
}

function afterFork({ cgroup, idMaps }: LaunchPlan): ExplainedStep[] {
  const steps: ExplainedStep[] = [];
  if (idMaps !== undefined) {
    const what = 'Map the ids of the new user namespace.';
    steps.push({ actor: 'parent', step: 'id maps', what, field: 'linux.uidMappings' });
  }
  // With v2 alone it is forked into it.
  if (cgroup?.directories.some(({ version }) => version === 1) === true) {
    const what = 'Put the child in its cgroup.';
    steps.push({ actor: 'parent', step: 'enter cgroup', what, calls: ['write'] });
  }
  return [...steps, { actor: 'parent', step: 'config', what: 'Send the plan to the child.' }];
}

function childSteps(stage: RehearsedStage, plan: LaunchPlan): ExplainedStep[] {
  const { init } = plan;
  const { name, calls, questions, mounts } = stage;
  const own: ExplainedStep[] =
    mounts === undefined
      ? [{ actor: 'child', step: name, ...stageSentence(name, init), calls }]
      : mounts.map((one) => ({
          actor: 'child',
          step: name,
          ...mountSentence(one.parts),
          calls: one.calls,
        }));
  const hooks = questions.includes('procHooks') ? hookSteps(plan, 'prestart', 'createRuntime') : [];
  return [...own, ...hooks, ...questions.flatMap((question) => answerTo(question, name))];
}

function answerTo(question: SyncType, step: string): ExplainedStep[] {
  const { reply } = syncTypes[question];
  if (reply === undefined) return [];
  return [
    {
      actor: 'parent',
      step,
      what: `Answer ${question} with ${reply}: ${syncTypes[reply].meaning}.`,
    },
  ];
}

function whileRunning({ timeoutMs, maxOutputBytes, signal }: LaunchOptions): ExplainedStep[] {
  const kill = (when: string, field: string): ExplainedStep => ({
    actor: 'parent',
    step: 'watch',
    what: `Kill the program with all that it started ${when}.`,
    field,
  });
  return [
    ...(timeoutMs === undefined
      ? []
      : [kill(`when it has run for ${timeoutMs} ms`, 'options.timeoutMs')]),
    ...(maxOutputBytes === undefined
      ? []
      : [kill(`when it writes more than ${maxOutputBytes} bytes`, 'options.maxOutputBytes')]),
    ...(signal === undefined ? [] : [kill('when the signal is aborted', 'options.signal')]),
    { actor: 'parent', step: 'end', what: 'Wait for its end, reap it, and remove what was made.' },
  ];
}
