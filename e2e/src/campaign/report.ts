import type { PartResult } from './part.ts';

/** A campaign as a table, one line per part. */
export function formatReport(seed: string, seconds: number, parts: readonly PartResult[]): string {
  const head = [
    'part',
    'processes',
    'killed: supervisor',
    'command line',
    'monitor',
    'keeper',
    'told by: parent',
    'pin',
    'pidfd',
    'keeper',
    'never started',
    'unknown',
    'wrong',
    'lost',
  ];
  const rows = parts.map(rowOf);
  const sums = head
    .slice(1)
    .map((_, column) => rows.reduce((sum, row) => sum + Number(row[column + 1]), 0));
  const table = [head, ...rows, ['all', ...sums.map(String)]];
  const widths = head.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  const lines = table.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!),
      )
      .join('  '),
  );
  return [`seed ${seed}, ${seconds.toFixed(0)} seconds`, ...lines].join('\n');
}

/** The same in one line. */
export function summarize(seed: string, seconds: number, parts: readonly PartResult[]): string {
  const sum = (of: (part: PartResult) => number): number =>
    parts.reduce((total, part) => total + of(part), 0);
  const kills = sum((part) => Object.values(part.kills).reduce((total, each) => total + each, 0));
  return (
    `kill campaign, seed ${seed}: ${sum(({ verdict }) => verdict.processes)} processes, ${kills} kills, ` +
    `${sum(({ verdict }) => verdict.lost.length)} lost, ${sum(({ verdict }) => verdict.wrong.length)} wrong, ` +
    `${sum(({ verdict }) => verdict.unknown)} unknown, ${seconds.toFixed(0)} s`
  );
}

/** What must not be, one line each. */
export function complaints(parts: readonly PartResult[]): string[] {
  return parts.flatMap(({ name, verdict }) => [
    ...verdict.lost.map((line) => `${name}: lost: ${line}`),
    ...verdict.wrong.map((line) => `${name}: wrong: ${line}`),
    ...verdict.broken.map((line) => `${name}: ${line}`),
  ]);
}

function rowOf({ name, kills, verdict }: PartResult): string[] {
  const { processes, sources, neverStarted, unknown, wrong, lost } = verdict;
  return [
    name,
    ...[
      processes,
      kills.supervisor,
      kills['command line'],
      kills.monitor,
      kills.keeper,
      sources.parent,
      sources.pin,
      sources.pidfd,
      sources.keeper,
      neverStarted,
      unknown,
      wrong.length,
      lost.length,
    ].map(String),
  ];
}
