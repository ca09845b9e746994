import { budgets, verdict } from './budgets.ts';
import type { Results } from './results.ts';

/** The numbers of a run as a table, with the budgets that it keeps or not. */
export function report(results: Results): string {
  const { machine, processes, tier, memory, fds, idleCpu, end, burst, launch } = results;
  const { monitor, keeper, empty } = memory;
  const where = results.onTmpfs ? 'a root in memory' : 'a root on disk';
  const rows: Row[] = [
    [
      'monitor, private',
      kB(monitor.private),
      kB(budgets.monitorPrivate),
      fits(monitor.private, budgets.monitorPrivate),
    ],
    ['monitor, PSS / RSS', `${kB(monitor.pss)} / ${kB(monitor.rss)}`],
    ['monitor with no process, private', kB(empty.monitor.private)],
    ['keeper, private', kB(keeper.private)],
    ['keeper, PSS / RSS', `${kB(keeper.pss)} / ${kB(keeper.rss)}`],
    ['keeper with no process, private', kB(empty.keeper.private)],
    ['both, private, all in all', kB(monitor.private + keeper.private)],
    ['both, private / processes', kB((monitor.private + keeper.private) / processes)],
    ['each process more, private', kB(memory.perProcess)],
    ['descriptors of monitor / keeper', `${fds.monitor} / ${fds.keeper}`],
    [
      `idle CPU of monitor, ${idleCpu.overMs / 1000} s`,
      `${idleCpu.monitor.toFixed(3)} %`,
      `${budgets.idleCpu} %`,
      fits(idleCpu.monitor, budgets.idleCpu),
    ],
    ['idle CPU of keeper', `${idleCpu.keeper.toFixed(3)} %`],
    [
      `end to record, p50 of ${end.count}`,
      ms(end.p50),
      ms(budgets.endRecorded),
      fits(end.p50, budgets.endRecorded),
    ],
    ['end to record, p95', ms(end.p95)],
    ['end to record, most', ms(end.most)],
    [
      `${burst.count} ends at once, all recorded`,
      ms(burst.recordedMs),
      ms(budgets.burst),
      fits(burst.recordedMs, budgets.burst),
    ],
    ['  until all were signalled', ms(burst.signalledMs)],
    ['  CPU of the monitor', ms(burst.monitorCpuMs)],
    [`launch of ${processes}, ${launch.by}`, ms(launch.totalMs)],
    ['  each', ms(launch.eachMs)],
    [`list of ${processes}`, ms(results.listMs)],
    ['monitor killed, all watched again', ms(results.recoveryMs)],
    [`deletion of ${processes}`, ms(results.deleteMs)],
  ];
  for (const reference of results.references) {
    if ('skipped' in reference) rows.push([reference.name, `skipped: ${reference.skipped}`]);
    else {
      const { name, version, containers, mean } = reference;
      rows.push(
        [`${name} ${version}, private, mean of ${containers}`, kB(mean.private)],
        ['  PSS / RSS', `${kB(mean.pss)} / ${kB(mean.rss)}`],
        [`  private, for ${processes} containers`, kB(mean.private * processes)],
      );
    }
  }
  const title = `Supervision of ${processes} processes, tier ${tier}, ${where}
Linux ${machine.kernelRelease}, ${machine.cpus} CPUs, Node ${machine.node}, load ${machine.loadAverage.toFixed(2)}
`;
  return `${title}\n${table([['', 'measured', 'budget', ''], ...rows])}`;
}

type Row = readonly [name: string, value: string, budget?: string, verdict?: string];

/** Budgets are those of a thousand; fewer keep them easily, and more need not. */
const fits = verdict;

function kB(value: number): string {
  return value >= 10 * 1024 ? `${(value / 1024).toFixed(1)} MB` : `${value.toFixed(1)} kB`;
}

function ms(value: number): string {
  return value >= 10_000
    ? `${(value / 1000).toFixed(1)} s`
    : `${value.toFixed(value < 10 ? 2 : 0)} ms`;
}

function table(rows: readonly Row[]): string {
  const columns = [0, 1, 2, 3] as const;
  const widths = columns.map((column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  return rows
    .map((row) => {
      const cells = columns.map((column) => {
        const cell = row[column] ?? '';
        return column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0);
      });
      return `${cells.join('  ').trimEnd()}\n`;
    })
    .join('');
}
