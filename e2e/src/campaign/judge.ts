import { isDeepStrictEqual } from 'node:util';
import type { ExitRecord } from '@pilotlight/process-store';
import type { Account, Ledger, Run } from './ledger.ts';

/** What may be forgiven where, from the table of tiers. */
export interface Law {
  /** Whether nobody may know how this one ended. */
  mayBeUnknown: (account: Account) => boolean;
  /** Codes of failures that the kills of this part explain. */
  mayFail: (failure: Account['failures'][number]) => boolean;
  /** Whether the whole journal was read. */
  journal: boolean;
}

export interface Verdict {
  /** Ids that somebody began to launch. */
  processes: number;
  /** Those of which no program ran. */
  neverStarted: number;
  /** Statuses of programs, by who told them. */
  sources: Record<'parent' | 'pin' | 'pidfd' | 'keeper', number>;
  unknown: number;
  wrong: string[];
  lost: string[];
  /** Neither wrong nor lost, and yet not as promised: unknown without need, untold, failures that nothing explains. */
  broken: string[];
}

/** How a child leaves that waits at its gate when its launcher dies. */
const GATE_CODE = 255;

export function judge(ledger: Ledger, law: Law): Verdict {
  const verdict: Verdict = {
    processes: 0,
    neverStarted: 0,
    sources: { parent: 0, pin: 0, pidfd: 0, keeper: 0 },
    unknown: 0,
    wrong: [],
    lost: [],
    broken: ledger.lostEvents > 0 ? [`${ledger.lostEvents} gaps in the journal`] : [],
  };
  for (const account of ledger.accounts.values()) {
    if (!account.launching) continue;
    verdict.processes += 1;
    let started = false;
    for (const run of account.runs.values()) {
      if (judgeRun(account, run, law, verdict) === 'started') started = true;
    }
    if (!started) verdict.neverStarted += 1;
    for (const code of account.printed) {
      if (!mayPrint(account, code)) verdict.wrong.push(`${account.key}: wait printed ${code}`);
    }
    for (const failure of account.failures) {
      if (law.mayFail(failure)) continue;
      const { action, code, message } = failure;
      verdict.broken.push(`${account.key}: ${action} failed: ${message} (${code})`);
    }
  }
  return verdict;
}

function judgeRun(
  account: Account,
  run: Run,
  law: Law,
  verdict: Verdict,
): 'started' | 'not started' {
  const name = `${account.key} (${run.pid})`;
  const told = run.told.join(' ') || 'nothing';
  const exit = run.exits[0];
  if (exit === undefined) {
    // Its end was recorded and deleted where nobody reads the journal.
    if (!law.journal && account.deleting) return 'started';
    verdict.lost.push(
      `${name}: ${run.proofs > 0 ? 'it ran' : 'nothing proves that it ran'}, ` +
        `${run.acknowledged ? 'its launcher knew' : 'nobody was told'}; journal: ${told}`,
    );
    return 'started';
  }
  const other = run.exits.find((each) => !isDeepStrictEqual(statusOf(each), statusOf(exit)));
  if (other !== undefined) {
    verdict.wrong.push(`${name}: ${describe(exit)}, and ${describe(other)} as well`);
  }
  if (law.journal && !run.told.includes('exit')) verdict.broken.push(`${name}: its end is untold`);
  if (run.proofs > 1) verdict.wrong.push(`${name}: it ran ${run.proofs} times`);
  if (run.proofs > 0 || run.acknowledged) {
    if (!exit.started) verdict.wrong.push(`${name}: it ran, and is recorded as never started`);
    const start = account.key.includes('/') ? 'exec' : 'start';
    if (law.journal && !run.told.includes(start)) {
      verdict.broken.push(`${name}: its start is untold`);
    }
  }
  if (exit.kind === 'unknown') {
    verdict.unknown += 1;
    if (!law.mayBeUnknown(account)) verdict.broken.push(`${name}: unknown without need`);
    return 'started';
  }
  if (!exit.started || isFromGate(run, exit)) return 'not started';
  verdict.sources[exit.source] += 1;
  if (!isTrue(account, run, exit)) {
    const meant = JSON.stringify(account.ending);
    const proven = run.proofs > 0 ? 'it ended as meant' : 'it did not come to its end';
    verdict.wrong.push(`${name}: ${describe(exit)}; meant: ${meant}, ${proven}`);
  }
  return 'started';
}

/** What `wait` may print of it, which knows of no run in particular. */
function mayPrint({ ending, signals, runs }: Account, code: number): boolean {
  const proven = [...runs.values()].some(({ proofs }) => proofs > 0);
  const meant = 'code' in ending ? ending.code : 128 + ending.signal;
  if (proven && code === meant) return true;
  return signals.has(code - 128) || (!proven && code === GATE_CODE);
}

function isTrue({ ending, signals }: Account, run: Run, exit: ExitRecord): boolean {
  if (exit.kind === 'unknown') return false;
  if (exit.kind === 'signaled' && signals.has(exit.signal)) return true;
  if (run.proofs === 0) return false;
  return 'code' in ending ? exit.code === ending.code : exit.signal === ending.signal;
}

/** Released, but its launcher died before it opened the gate. */
function isFromGate(run: Run, exit: ExitRecord): boolean {
  return exit.kind === 'exited' && exit.code === GATE_CODE && run.proofs === 0 && !run.acknowledged;
}

/** What two records of one end must agree in. */
function statusOf(exit: ExitRecord): unknown {
  return exit.kind === 'unknown' ? exit.kind : [exit.rawStatus, exit.started];
}

function describe(exit: ExitRecord): string {
  if (exit.kind === 'unknown') return `unknown (${exit.reason})`;
  const how = exit.kind === 'exited' ? `exited with ${exit.code}` : `ended by ${exit.signal}`;
  return `${how} by ${exit.source}${exit.started ? '' : ', never started'}`;
}
