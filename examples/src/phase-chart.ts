import type { LaunchPhase } from '@pilotlight/init';

const WIDTH = 40;

/** The phases of a launch as bars on one time line. */
export function phaseChart(phases: readonly LaunchPhase[]): string[] {
  const totalMs = Math.max(...phases.map(({ startMs, durationMs }) => startMs + durationMs));
  const nameWidth = Math.max(...phases.map(({ name }) => name.length));
  const column = (ms: number): number => Math.round((ms / totalMs) * WIDTH);
  return phases.map(({ name, startMs, durationMs }) => {
    const bar = '#'.repeat(Math.max(1, column(durationMs)));
    const time = `${durationMs.toFixed(2)} ms`.padStart(9);
    return `${name.padEnd(nameWidth)}  ${time}  ${' '.repeat(column(startMs))}${bar}`;
  });
}
