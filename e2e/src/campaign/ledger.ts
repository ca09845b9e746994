import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExitRecord, LostEvents, StoreEvent } from '@pilotlight/process-store';
import type { Ending, ProgramPlan } from './program.ts';
import type { Said } from './said.ts';

/** One process that had an id; an id has several if it was started again. */
export interface Run {
  pid: number;
  /** Somebody was told that it runs. */
  acknowledged: boolean;
  /** How often it wrote that it ended as it meant to. */
  proofs: number;
  /** What the journal tells of it, in order. */
  told: StoreEvent['type'][];
  /** Each record or report of its end. */
  exits: ExitRecord[];
}

/** All that is known of one id. */
export interface Account {
  key: string;
  ending: Ending;
  /** Whether its launcher was killed, or let go of it. */
  launcherLeft: boolean;
  launching: boolean;
  /** Signals that were sent to it, or were about to be. */
  signals: Set<number>;
  /** Whether somebody was about to delete it, with its container perhaps. */
  deleting: boolean;
  runs: Map<number, Run>;
  /** Codes that `pilotlight wait` has printed for it. */
  printed: number[];
  failures: { action: string; code: string; message: string }[];
}

/** Collects what actors, programs, journal and records say of every id. */
export class Ledger {
  readonly accounts: Map<string, Account> = new Map();
  lostEvents = 0;

  plan({ key, ending }: ProgramPlan): void {
    this.accounts.set(key, {
      key,
      ending,
      launcherLeft: false,
      launching: false,
      signals: new Set(),
      deleting: false,
      runs: new Map(),
      printed: [],
      failures: [],
    });
  }

  account(key: string): Account {
    const account = this.accounts.get(key);
    if (account === undefined) throw new Error(`nobody planned ${key}`);
    return account;
  }

  run(key: string, pid: number): Run {
    const { runs } = this.account(key);
    let run = runs.get(pid);
    if (run === undefined) {
      run = { pid, acknowledged: false, proofs: 0, told: [], exits: [] };
      runs.set(pid, run);
    }
    return run;
  }

  hear(said: Said): void {
    const account = this.account(said.key);
    switch (said.verb) {
      case 'launching':
        account.launching = true;
        return;
      case 'signaling':
        for (const each of this.#family(said.key)) each.signals.add(said.signal);
        return;
      case 'restarting':
        // What was executed in it goes with the record that is replaced.
        for (const each of this.#family(said.key)) if (each !== account) each.deleting = true;
        return;
      case 'deleting':
        for (const each of this.#family(said.key)) each.deleting = true;
        return;
      case 'running':
        this.run(said.key, said.pid).acknowledged = true;
        return;
      case 'told':
        if (said.pid !== undefined) this.run(said.key, said.pid).exits.push(said.exit);
        return;
      case 'failed':
        account.failures.push({ action: said.action, code: said.code, message: said.message });
        return;
      case 'printed':
        account.printed.push(said.code);
        return;
      case 'deleted':
        return;
    }
  }

  hearEvent(event: StoreEvent | LostEvents): void {
    if (event.type === 'lost') {
      this.lostEvents += 1;
      return;
    }
    const run = this.run(event.key, event.pid);
    run.told.push(event.type);
    if (event.type === 'exit') run.exits.push(event.exit);
  }

  readProofs(directory: string): void {
    for (const name of readdirSync(directory)) {
      const lines = readFileSync(join(directory, name), 'utf8').trim().split('\n');
      for (const line of lines) this.run(name.replace(':', '/'), Number(line)).proofs += 1;
    }
  }

  /** The account of a key, and of what was executed in it. */
  #family(key: string): Account[] {
    return [...this.accounts.values()].filter(
      (account) => account.key === key || account.key.startsWith(`${key}/`),
    );
  }
}
