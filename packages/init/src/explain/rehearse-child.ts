import { decodePacket, encodePacket, type SyncType, syncTypes } from '@pilotlight/sync';
import { runChild } from '../child/run-child.ts';
import type { ChildState, Stage } from '../child/stages.ts';
import type { InitConfig, PlannedMount } from '../config/init-config.ts';
import {
  createRecordingSyscall,
  type RecordedCall,
  RecordedExit,
  type RecordingSyscall,
} from '../syscall/recording.ts';
import { kernelNames } from './kernel-names.ts';

/** What one stage of the child would do. */
export type RehearsedStage = {
  name: string;
  calls: string[];
  /** What it asks the parent, in order. */
  questions: SyncType[];
  /** The same calls for each entry of `mounts`, where the stage makes them one by one. */
  mounts?: { parts: PlannedMount[]; calls: string[] }[];
};

/** Files that the kernel may have and that people mask; all other paths are taken for directories. */
const kernelFiles = [
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/sysrq-trigger',
  '/proc/interrupts',
];

/** Runs the child's own code with this config against the recording double. Stages that do nothing are left out. */
export function rehearseChild(config: InitConfig, terminal: boolean): RehearsedStage[] {
  // As it arrives at the child.
  const text = JSON.stringify(config);
  const sys = recorder(config, new TextEncoder().encode(text));
  const begins: { name: string; at: number; stage?: Stage; state?: ChildState }[] = [
    { name: 'descriptors', at: 0 },
  ];
  const fds = { stdin: 20, stdout: 21, stderr: 22, init: 23, sync: 24 };
  try {
    runChild(sys, terminal ? { ...fds, console: 25 } : fds, (stage, state) =>
      begins.push({ name: stage.name, at: sys.calls.length, stage, state: { ...state } }),
    );
  } catch (error) {
    if (!(error instanceof RecordedExit)) throw error;
  }
  // The double ends the child after its execve, which a kernel does not.
  const calls = sys.calls.filter(({ name }) => name !== 'exit');
  const configAt = calls.findIndex(({ name }) => name === 'readAll');
  begins.splice(1, 0, { name: 'config', at: configAt });
  return begins.flatMap(({ name, at, stage, state }, index) => {
    const own = calls.slice(at, begins[index + 1]?.at);
    if (own.length === 0) return [];
    const rehearsed: RehearsedStage = { name, calls: namesOf(own), questions: questionsOf(own) };
    const mounts = stage === undefined || state === undefined ? undefined : byMount(stage, state);
    const isWhole = mounts?.flatMap((one) => one.calls).join() === rehearsed.calls.join();
    return [isWhole && mounts !== undefined ? { ...rehearsed, mounts } : rehearsed];
  });
}

/** The stage `mounts` again, with one entry of the configuration at a time. */
function byMount(stage: Stage, state: ChildState): RehearsedStage['mounts'] {
  if (stage.name !== 'mounts') return undefined;
  const { mounts } = state.config;
  return [...new Set(mounts.map(({ index }) => index))].map((index) => {
    const parts = mounts.filter((mount) => mount.index === index);
    const config = { ...state.config, mounts: parts };
    const sys = recorder(config);
    stage.run({ ...state, sys, config });
    return { parts, calls: namesOf(sys.calls) };
  });
}

/** A double whose parent gives the right answer to every question. */
function recorder(config: InitConfig, bytes?: Uint8Array): RecordingSyscall {
  const sys = createRecordingSyscall({
    files: [...kernelFiles, ...programCandidates(config)],
    ...(bytes === undefined ? {} : { config: bytes }),
  });
  const receive = sys.receivePacket.bind(sys);
  sys.receivePacket = (fd) => {
    receive(fd);
    const question = questionsOf(sys.calls).at(-1);
    const reply = question === undefined ? undefined : syncTypes[question].reply;
    return reply === undefined ? undefined : encodePacket({ type: reply, flags: 0 });
  };
  return sys;
}

function programCandidates({ args, env }: InitConfig): string[] {
  const name = args[0] ?? '';
  const path = env.findLast((entry) => entry.startsWith('PATH='))?.slice('PATH='.length) ?? '';
  return [name, ...path.split(':').map((directory) => `${directory}/${name}`)];
}

const questionsOf = (calls: readonly RecordedCall[]): SyncType[] =>
  calls
    .filter(({ name }) => name === 'sendPacket')
    .map(({ args }) => decodePacket(args[1] as Uint8Array).type);

const namesOf = (calls: readonly RecordedCall[]): string[] =>
  calls.flatMap(({ name }) => kernelNames(name));
