import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openStore, type ProcessStore, type Tier } from '@pilotlight/process-store';
import type { Actors } from './actors.ts';
import { CommandLines } from './command-lines.ts';
import { judge, type Verdict } from './judge.ts';
import { leftovers } from './leftovers.ts';
import { Ledger } from './ledger.ts';
import { PairKiller, type PairVictim } from './pair-killer.ts';
import { planSupervisor, programsOf, type SupervisorPlan } from './plan.ts';
import type { Random } from './random.ts';
import type { Said } from './said.ts';
import type { SupervisorSettings } from './supervisor.ts';

const program = fileURLToPath(new URL('supervisor.ts', import.meta.url));

/** Programs of one supervisor, and supervisors at the same time. */
const BATCH = 32;
const AT_ONCE = 3;
const MONITOR_IDLE_MS = 200;
const SETTLE_MS = 60_000;

/** Who of monitor and keeper may be killed within one round; between rounds the pair is whole again. */
export type PairVictims = 'nobody' | 'one' | 'both';

export interface PartPlan {
  name: string;
  tier: Tier;
  processes: number;
  /** Command lines launch in the best tier. */
  actors: 'supervisors' | 'command lines';
  victims: PairVictims;
}

export interface PartResult extends PartPlan {
  verdict: Verdict;
  kills: Record<'supervisor' | 'command line' | PairVictim, number>;
}

/** One tier's part of a campaign, in a root of its own below `directory`, which is empty again afterwards. */
export class Part {
  readonly #plan: PartPlan;
  readonly #directory: string;
  readonly #actors: Actors;
  readonly #random: Random;
  readonly #cgroupName: string;
  readonly #ledger = new Ledger();
  readonly #commandLines: CommandLines;
  #supervisors = 0;
  /** Reports of success. */
  #heard = 0;

  constructor(plan: PartPlan, directory: string, actors: Actors, random: Random, cgroup: string) {
    this.#plan = plan;
    // Programs name their proofs to a shell.
    this.#directory = join(directory, plan.name.replaceAll(/\W+/g, '-'));
    this.#actors = actors;
    this.#random = random;
    this.#cgroupName = cgroup;
    const places = { root: this.#root, proofs: this.#proofs, directory: this.#directory };
    this.#commandLines = new CommandLines({ ...places, cgroupName: cgroup }, actors, this.#ledger);
  }

  get #readsJournal(): boolean {
    return this.#plan.actors === 'supervisors';
  }

  get #root(): string {
    return join(this.#directory, 'root');
  }

  get #proofs(): string {
    return join(this.#directory, 'proofs');
  }

  async run(): Promise<PartResult> {
    mkdirSync(this.#proofs, { recursive: true });
    const { tier } = this.#plan;
    const events = new AbortController();
    let result: PartResult;
    {
      await using store = await openStore(this.#root, { tier, monitorIdleMs: MONITOR_IDLE_MS });
      // Whoever reads it keeps the root: without readers it comes and goes.
      const reading = this.#readsJournal ? this.#readJournal(store, events.signal) : undefined;
      using killer = new PairKiller(store);
      try {
        if (this.#plan.actors === 'command lines') await this.#runCommandLines();
        for (let round = 0; this.#launched() < this.#plan.processes; round++) {
          await this.#round(store, killer, this.#random.derive(`round ${round}`), round);
        }
        await this.#settle(store);
        this.#ledger.readProofs(this.#proofs);
        await this.#hearRecords(store);
        await this.#removeAll(store);
      } finally {
        events.abort();
        await reading;
      }
      const verdict = judge(this.#ledger, this.#law());
      const kills = {
        supervisor: this.#supervisors,
        'command line': this.#commandLines.kills,
        ...killer.kills,
      };
      result = { ...this.#plan, verdict, kills };
    }
    result.verdict.broken.push(...(await leftovers(this.#root)));
    return result;
  }

  async #runCommandLines(): Promise<void> {
    let next = 0;
    const work = async (): Promise<void> => {
      while (next < this.#plan.processes) {
        const key = `c${next++}`;
        await this.#commandLines.runOne(key, this.#random.derive(key));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  }

  #launched(): number {
    return [...this.#ledger.accounts.values()].filter(({ launching }) => launching).length;
  }

  async #round(
    store: ProcessStore,
    killer: PairKiller,
    random: Random,
    round: number,
  ): Promise<void> {
    const plans = Array.from({ length: AT_ONCE }, (_, index) =>
      planSupervisor(
        random.derive(`supervisor ${index}`),
        `${round}-${index}`,
        this.#plan.tier,
        BATCH,
      ),
    );
    const over = new AbortController();
    if (this.#plan.tier === 'A' && this.#plan.victims !== 'nobody') await store.startMonitor();
    const killing = this.#killPairs(killer, random.derive('pair'), over.signal);
    await Promise.all(plans.map((plan) => this.#supervise(plan)));
    if (this.#plan.victims !== 'nobody') await this.#settle(store);
    over.abort();
    await killing;
    await killer.untilQuiet();
  }

  #hear(said: Said): void {
    this.#ledger.hear(said);
    if (said.verb !== 'failed') this.#heard += 1;
  }

  async #supervise(plan: SupervisorPlan): Promise<void> {
    for (const each of programsOf(plan)) this.#ledger.plan(each);
    const settings: SupervisorSettings = {
      root: this.#root,
      proofs: this.#proofs,
      cgroupName: this.#cgroupName,
      monitorIdleMs: MONITOR_IDLE_MS,
      plan,
    };
    const file = join(this.#directory, `${plan.name}.json`);
    writeFileSync(file, JSON.stringify(settings));
    const end = await this.#actors.run(
      process.execPath,
      ['--no-warnings', program, file],
      process.env,
      (line) => this.#hear(JSON.parse(line) as Said),
      plan.kill,
    );
    if (end.killed) this.#supervisors += 1;
    else if (end.code !== 0) {
      throw new Error(`supervisor ${plan.name} ended with ${end.code}: ${end.stderr}`);
    }
    for (const { key } of programsOf(plan)) {
      const account = this.#ledger.account(key);
      // What it did not wait for, it let go of.
      const left = plan.containers.some((each) => each.key === key && each.fate === 'leave');
      account.launcherLeft = end.killed || left;
    }
  }

  /** At random instants until `signal`, with time in between for something to go on. */
  async #killPairs(killer: PairKiller, random: Random, signal: AbortSignal): Promise<void> {
    const { victims } = this.#plan;
    if (victims === 'nobody') return;
    const victim = random.pick<PairVictim>(['monitor', 'monitor', 'keeper']);
    while (!signal.aborted) {
      await this.#untilHeard(random.integer(1, 40), signal);
      await sleep(random.integer(0, 60), undefined, { signal }).catch(() => undefined);
      if (victims === 'both') await killer.killBoth(victim, signal);
      // Without a keeper nothing starts the monitor again: it must not die before the pair is whole again.
      else if ((await killer.killOne(victim, signal)) && victim === 'keeper') return;
    }
  }

  async #untilHeard(reports: number, signal: AbortSignal): Promise<void> {
    const until = this.#heard + reports;
    while (this.#heard < until && !signal.aborted) await sleep(5);
  }

  /** Resolves when everything that was recorded has ended. */
  async #settle(store: ProcessStore): Promise<void> {
    const signal = AbortSignal.timeout(SETTLE_MS);
    const { processes, problems } = await store.list({ execs: true });
    for (const { id, problem } of problems) {
      throw new Error(`the record ${id} cannot be read`, { cause: problem });
    }
    await Promise.all(processes.map((process) => process.wait({ signal })));
  }

  async #hearRecords(store: ProcessStore): Promise<void> {
    const { processes } = await store.list({ execs: true });
    for (const { key, pid, exit } of processes) {
      const run = this.#ledger.run(key, pid);
      if (exit !== undefined) run.exits.push(exit);
    }
  }

  /** And resolves when the journal has told so. */
  async #removeAll(store: ProcessStore): Promise<void> {
    const { processes } = await store.list();
    for (const process of processes) await process.remove();
    const deadline = performance.now() + SETTLE_MS;
    const isUntold = (): boolean =>
      this.#readsJournal &&
      processes.some(({ key, pid }) => !this.#ledger.run(key, pid).told.includes('remove'));
    while (isUntold()) {
      if (performance.now() > deadline) throw new Error('removals are untold');
      await sleep(20);
    }
    const left = await store.list({ execs: true });
    if (left.processes.length + left.problems.length > 0) throw new Error('records are left');
  }

  async #readJournal(store: ProcessStore, signal: AbortSignal): Promise<void> {
    try {
      for await (const event of store.watch({ since: 'start', signal })) {
        this.#ledger.hearEvent(event);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  #law(): Parameters<typeof judge>[1] {
    const { tier, victims } = this.#plan;
    const isHeld = tier === 'B' || tier === 'C';
    return {
      journal: this.#readsJournal,
      mayBeUnknown: ({ launcherLeft }) =>
        tier === 'D' ? launcherLeft : isHeld && victims === 'both',
      mayFail: ({ action, code, message }) =>
        // Ended before that.
        code === 'ERR_STORE_NOT_RUNNING' ||
        // A command line before it was killed, or a launch that was.
        (action !== 'run' && message.includes('there is no such record')) ||
        /it has (exited|ended)|has ended it/.test(message) ||
        (action === 'delete' && /is (running|zombie)/.test(message)) ||
        (action === 'exec' && message.endsWith('its first process has ended')) ||
        // Its monitor was killed.
        (isHeld && victims !== 'nobody' && code === 'ERR_STORE_MONITOR'),
    };
  }
}
