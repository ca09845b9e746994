import { syscallError } from '@pilotlight/scm-rights';
import { describe, expect, it } from 'vitest';
import { CPU_MASK_BYTES } from '../plan/cpu-affinity.ts';
import { createRecordingSyscall } from '../syscall/recording.ts';
import { resetCpuAffinity, setCpuAffinity } from './cpu-affinity.ts';

const EINVAL = 22;
const EPERM = 1;

const failing = (errno: number): ReturnType<typeof createRecordingSyscall> => {
  const sys = createRecordingSyscall();
  sys.schedSetaffinity = () => {
    throw syscallError(errno, 'sched_setaffinity');
  };
  return sys;
};

describe('setCpuAffinity', () => {
  it('setCpuAffinity gives the kernel a bit for each CPU, beyond the 1024 of cpu_set_t', () => {
    const sys = createRecordingSyscall();
    setCpuAffinity(sys, [
      [0, 2],
      [1025, 1025],
    ]);
    const mask = sys.calls[0]?.args[0] as Uint8Array;
    expect([mask[0], mask[128], mask.length]).toEqual([0b111, 0b10, CPU_MASK_BYTES]);
    expect(mask.filter((byte) => byte !== 0)).toHaveLength(2);
  });

  it('setCpuAffinity says where to look when none of the CPUs can be used', () => {
    expect(() => setCpuAffinity(failing(EINVAL), [[9, 9]])).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('cpuset') }),
    );
  });
});

describe('resetCpuAffinity', () => {
  it('resetCpuAffinity asks for every CPU there can be', () => {
    const sys = createRecordingSyscall();
    resetCpuAffinity(sys);
    expect(sys.calls[0]?.args[0]).toEqual(new Uint8Array(CPU_MASK_BYTES).fill(0xff));
  });

  it('resetCpuAffinity leaves things as they are where it may not', () => {
    expect(() => resetCpuAffinity(failing(EPERM))).not.toThrow();
  });
});
