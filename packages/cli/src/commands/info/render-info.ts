import { printable } from '../../render/printable.ts';
import { renderTable } from '../../render/table.ts';
import type { StoreReport } from './store-report.ts';

/** A report as people read it: facts by name, then the tiers with the one of this machine marked, then what is wrong. */
export function renderInfo(report: StoreReport): string {
  const parts = [renderTable(factRows(report)), tierText(report.tier)];
  const problems = problemRows(report);
  if (problems.length > 0) parts.push(renderTable([['PROBLEM', 'WHY'], ...problems]));
  return parts.join('\n');
}

function factRows({ root, tier, machine, launch, keeper, monitor, records }: StoreReport) {
  const { kernelRelease, uid, exitInfo, pins, namespaces } = machine;
  const facts: [string, string][] = [
    ['Root', `${root.path}${root.exists ? '' : ' (not made yet)'}`],
    ['Tier', `${tier.chosen}: ${tier.why}`],
    ['Kernel', kernelRelease],
    ['Exit info', exitInfo ? 'yes: a pidfd tells how its process ended' : 'no'],
    ['Pins', pins ? 'yes: a pidfd can be mounted' : 'no'],
    ['User', String(uid)],
    ['Namespaces', `${namespaces.pid} ${namespaces.mnt}`],
    ['Launches', `${launch.forks === 'here' ? 'fork here' : 'fork in a zygote'}: ${launch.why}`],
    ['Monitor', describeMonitor(monitor)],
    ['Keeper', describeKeeper(keeper, monitor)],
    ['Records', describeRecords(records)],
  ];
  return facts.map(([name, value]) => [name, printable(value)]);
}

function describeMonitor(monitor: StoreReport['monitor']): string {
  if (monitor === null) return 'none runs';
  const { pid, startedAt, watching, held } = monitor;
  return `process ${pid} since ${startedAt}, watches ${watching}, holds ${count(held, 'descriptor')}`;
}

function describeKeeper({ isAlive, pid }: StoreReport['keeper'], monitor: StoreReport['monitor']) {
  if (isAlive) return pid === null ? 'runs' : `process ${pid}`;
  return monitor === null ? 'none runs' : 'has died: the next death may lose statuses';
}

function describeRecords({ total, byState, problems }: StoreReport['records']): string {
  const parts = Object.entries(byState).map(([state, number]) => `${number} ${state}`);
  if (problems.length > 0) parts.push(`${problems.length} unreadable`);
  return parts.length === 0 ? 'none' : `${total}: ${parts.join(', ')}`;
}

function tierText({ all, chosen }: StoreReport['tier']): string {
  const texts = all.map(({ tier, name, available, condition, mayDie, needs }) => {
    const mark = tier === chosen ? ' (here)' : available ? '' : ' (not to be had here)';
    const rows = [
      ['  needs', condition],
      ['  may die', mayDie],
      ['  processes', needs],
    ];
    return `${tier} ${name}${mark}\n${renderTable(rows)}`;
  });
  return `Tiers, the best first\n\n${texts.join('')}`;
}

function problemRows({ records, monitor }: StoreReport): string[][] {
  const rows = records.problems.map(({ key, message }) => [key, message]);
  const told = new Set(records.problems.map(({ key }) => key));
  for (const { key, message } of monitor?.problems ?? []) {
    if (!told.has(key)) rows.push([key === '' ? 'the monitor' : key, message]);
  }
  return rows.map((row) => row.map(printable));
}

const count = (number: number, noun: string): string =>
  `${number} ${noun}${number === 1 ? '' : 's'}`;
