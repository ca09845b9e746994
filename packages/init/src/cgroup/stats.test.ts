import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freezeCgroup } from './freeze.ts';
import { cgroupProcesses } from './processes.ts';
import { cgroupStats } from './stats.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'stats-'));
});
afterEach(() => rmSync(root, { recursive: true }));

/** A directory with these interface files. */
function cgroup(name: string, files: Record<string, string>): string {
  const path = join(root, name);
  mkdirSync(path, { recursive: true });
  for (const [file, text] of Object.entries(files)) writeFileSync(join(path, file), text);
  return path;
}

const pressure = (total: number): string =>
  `some avg10=1.50 avg60=0.00 avg300=0.25 total=${total}\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=18446744073709551615\n`;

describe('cgroupStats', () => {
  it('cgroupStats reads everything that v2 counts', async () => {
    const path = cgroup('unified', {
      'cgroup.controllers': 'cpu memory pids io hugetlb rdma\n',
      'cpu.stat':
        'usage_usec 18446744073709\nuser_usec 3\nsystem_usec 4\nnr_periods 5\nnr_throttled 6\nthrottled_usec 7\nnr_bursts 8\nburst_usec 9\n',
      'cpu.pressure': pressure(11),
      'memory.current': '9007199254740993\n',
      'memory.max': 'max\n',
      'memory.peak': '9007199254740999\n',
      'memory.stat': 'anon 1\nfile 2\nkernel 3\nsock 4\n',
      'memory.events': 'low 0\nhigh 0\nmax 5\noom 6\noom_kill 7\n',
      'memory.swap.current': '10\n',
      'memory.swap.max': '20\n',
      'memory.swap.events': 'high 0\nmax 2\nfail 1\n',
      'pids.current': '3\n',
      'pids.max': '10\n',
      'pids.peak': '4\n',
      'pids.events': 'max 2\n',
      'io.stat': '8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n8:16 \n',
      'io.pressure': pressure(12),
      'hugetlb.2MB.current': '2097152\n',
      'hugetlb.2MB.events': 'max 3\n',
      'rdma.current': 'mlx5_1 hca_handle=2 hca_object=20\n',
      'rdma.max': 'mlx5_1 hca_handle=3 hca_object=max\n',
    });
    expect(await cgroupStats([path])).toMatchInlineSnapshot(`
      {
        "blkio": {
          "ioMergedRecursive": [],
          "ioQueueRecursive": [],
          "ioServiceBytesRecursive": [
            {
              "major": 8,
              "minor": 0,
              "op": "Read",
              "value": 1n,
            },
            {
              "major": 8,
              "minor": 0,
              "op": "Write",
              "value": 2n,
            },
            {
              "major": 8,
              "minor": 0,
              "op": "Discard",
              "value": 5n,
            },
          ],
          "ioServiceTimeRecursive": [],
          "ioServicedRecursive": [
            {
              "major": 8,
              "minor": 0,
              "op": "Read",
              "value": 3n,
            },
            {
              "major": 8,
              "minor": 0,
              "op": "Write",
              "value": 4n,
            },
            {
              "major": 8,
              "minor": 0,
              "op": "Discard",
              "value": 6n,
            },
          ],
          "ioTimeRecursive": [],
          "ioWaitTimeRecursive": [],
          "psi": {
            "full": {
              "avg10": 0,
              "avg300": 0,
              "avg60": 0,
              "total": 18446744073709551615n,
            },
            "some": {
              "avg10": 1.5,
              "avg300": 0.25,
              "avg60": 0,
              "total": 12n,
            },
          },
          "sectorsRecursive": [],
        },
        "cpu": {
          "psi": {
            "full": {
              "avg10": 0,
              "avg300": 0,
              "avg60": 0,
              "total": 18446744073709551615n,
            },
            "some": {
              "avg10": 1.5,
              "avg300": 0.25,
              "avg60": 0,
              "total": 11n,
            },
          },
          "throttling": {
            "burstPeriods": 8n,
            "burstTime": 9000n,
            "periods": 5n,
            "throttledPeriods": 6n,
            "throttledTime": 7000n,
          },
          "usage": {
            "kernel": 4000n,
            "percpu": undefined,
            "percpuKernel": undefined,
            "percpuUser": undefined,
            "total": 18446744073709000n,
            "user": 3000n,
          },
        },
        "hugetlb": {
          "2MB": {
            "failcnt": 3n,
            "max": undefined,
            "usage": 2097152n,
          },
        },
        "memory": {
          "cache": 2n,
          "events": {
            "high": 0n,
            "low": 0n,
            "max": 5n,
            "oom": 6n,
            "oom_kill": 7n,
          },
          "kernel": {
            "failcnt": undefined,
            "limit": undefined,
            "max": undefined,
            "usage": 3n,
          },
          "kernelTCP": {
            "failcnt": undefined,
            "limit": undefined,
            "max": undefined,
            "usage": 4n,
          },
          "psi": undefined,
          "raw": {
            "anon": 1n,
            "file": 2n,
            "kernel": 3n,
            "sock": 4n,
          },
          "swap": {
            "failcnt": 2n,
            "limit": 20n,
            "max": undefined,
            "usage": 10n,
          },
          "usage": {
            "failcnt": 5n,
            "limit": undefined,
            "max": 9007199254740999n,
            "usage": 9007199254740993n,
          },
        },
        "pids": {
          "current": 3n,
          "limit": 10n,
          "limitHits": 2n,
          "peak": 4n,
        },
        "rdma": {
          "current": [
            {
              "device": "mlx5_1",
              "hcaHandles": 2n,
              "hcaObjects": 20n,
            },
          ],
          "limit": [
            {
              "device": "mlx5_1",
              "hcaHandles": 3n,
              "hcaObjects": undefined,
            },
          ],
        },
      }
    `);
  });

  it('cgroupStats joins the hierarchies of v1, and takes pressure from v2 beside it', async () => {
    const noLimit = '9223372036854771712\n';
    const paths = [
      cgroup('unified', {
        'cgroup.controllers': '',
        'cpu.stat': 'usage_usec 1\nuser_usec 1\nsystem_usec 0\n',
        'memory.pressure': pressure(1),
      }),
      cgroup('cpu', {
        'cpu.cfs_quota_us': '-1\n',
        'cpu.stat': 'nr_periods 5\nnr_throttled 6\nthrottled_time 7\n',
      }),
      cgroup('cpuacct', {
        'cpuacct.usage': '100\n',
        'cpuacct.usage_sys': '40\n',
        'cpuacct.usage_user': '60\n',
        'cpuacct.usage_percpu': '70 30 \n',
      }),
      cgroup('memory', {
        'memory.usage_in_bytes': '5\n',
        'memory.limit_in_bytes': noLimit,
        'memory.max_usage_in_bytes': '6\n',
        'memory.failcnt': '7\n',
        'memory.memsw.usage_in_bytes': '8\n',
        'memory.memsw.limit_in_bytes': '9\n',
        'memory.stat': 'cache 1\ntotal_cache 2\n',
        'memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 3\n',
      }),
      cgroup('pids', { 'pids.current': '1\n', 'pids.max': 'max\n', 'pids.events': 'max 0\n' }),
      cgroup('blkio', {
        'blkio.bfq.io_service_bytes_recursive': 'Total 0\n',
        'blkio.throttle.io_service_bytes_recursive':
          '8:0 Read 4096\n8:0 Write 1\n8:0 Total 4097\nTotal 4097\n',
        'blkio.time_recursive': '8:0 12\n',
      }),
      cgroup('hugetlb', {
        'hugetlb.1GB.usage_in_bytes': '0\n',
        'hugetlb.1GB.max_usage_in_bytes': '1073741824\n',
        'hugetlb.1GB.failcnt': '1\n',
      }),
    ];
    expect(await cgroupStats(paths)).toMatchInlineSnapshot(`
      {
        "blkio": {
          "ioMergedRecursive": [],
          "ioQueueRecursive": [],
          "ioServiceBytesRecursive": [
            {
              "major": 8,
              "minor": 0,
              "op": "Read",
              "value": 4096n,
            },
            {
              "major": 8,
              "minor": 0,
              "op": "Write",
              "value": 1n,
            },
            {
              "major": 8,
              "minor": 0,
              "op": "Total",
              "value": 4097n,
            },
          ],
          "ioServiceTimeRecursive": [],
          "ioServicedRecursive": [],
          "ioTimeRecursive": [
            {
              "major": 8,
              "minor": 0,
              "op": "",
              "value": 12n,
            },
          ],
          "ioWaitTimeRecursive": [],
          "psi": undefined,
          "sectorsRecursive": [],
        },
        "cpu": {
          "psi": undefined,
          "throttling": {
            "burstPeriods": undefined,
            "burstTime": undefined,
            "periods": 5n,
            "throttledPeriods": 6n,
            "throttledTime": 7n,
          },
          "usage": {
            "kernel": 40n,
            "percpu": [
              70n,
              30n,
            ],
            "percpuKernel": undefined,
            "percpuUser": undefined,
            "total": 100n,
            "user": 60n,
          },
        },
        "hugetlb": {
          "1GB": {
            "failcnt": 1n,
            "max": 1073741824n,
            "usage": 0n,
          },
        },
        "memory": {
          "cache": 2n,
          "events": {
            "oom_kill": 3n,
          },
          "kernel": undefined,
          "kernelTCP": undefined,
          "psi": {
            "full": {
              "avg10": 0,
              "avg300": 0,
              "avg60": 0,
              "total": 18446744073709551615n,
            },
            "some": {
              "avg10": 1.5,
              "avg300": 0.25,
              "avg60": 0,
              "total": 1n,
            },
          },
          "raw": {
            "cache": 1n,
            "total_cache": 2n,
          },
          "swap": {
            "failcnt": undefined,
            "limit": 9n,
            "max": undefined,
            "usage": 8n,
          },
          "usage": {
            "failcnt": 7n,
            "limit": undefined,
            "max": 6n,
            "usage": 5n,
          },
        },
        "pids": {
          "current": 1n,
          "limit": undefined,
          "limitHits": 0n,
          "peak": undefined,
        },
        "rdma": undefined,
      }
    `);
  });

  it('cgroupStats knows nothing of what is gone', async () => {
    expect(await cgroupStats([join(root, 'gone')])).toEqual({
      cpu: undefined,
      memory: undefined,
      pids: undefined,
      blkio: undefined,
      hugetlb: {},
      rdma: undefined,
    });
  });
});

describe('cgroupProcesses', () => {
  it('cgroupProcesses lists each process of the tree once', async () => {
    const paths = [
      cgroup('memory', { 'cgroup.procs': '30\n4\n' }),
      cgroup('pids', { 'cgroup.procs': '4\n' }),
      join(root, 'gone'),
    ];
    cgroup('pids/inner/deep', { 'cgroup.procs': '0\n5\n' });
    expect(await cgroupProcesses(paths)).toEqual([4, 5, 30]);
  });
});

describe('freezeCgroup', () => {
  it('freezeCgroup gives up in time and thaws again', async () => {
    // Files that never say that all is frozen.
    const path = cgroup('unified', {
      'cgroup.controllers': '',
      'cgroup.freeze': '0\n',
      'cgroup.events': 'populated 1\nfrozen 0\n',
    });
    await expect(freezeCgroup([path], { timeoutMs: 1 })).rejects.toThrow(/they run again/);
    const { readFileSync } = await import('node:fs');
    expect(readFileSync(join(path, 'cgroup.freeze'), 'utf8')).toMatch(/^0/);
  });

  it('freezeCgroup says that there is nothing to freeze', async () => {
    await expect(freezeCgroup([cgroup('memory', {})])).rejects.toThrow(/can be frozen/);
  });
});
