import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ActorEnd, Actors } from './actors.ts';
import type { Ledger } from './ledger.ts';
import { planProgram } from './plan.ts';
import { type ProgramPlan, specOf } from './program.ts';
import type { Random } from './random.ts';

/** The launcher of the repository, as other programs are configured with it. */
const launcher: string = fileURLToPath(new URL('../../../bin/pilotlight', import.meta.url));

export interface CommandLineOptions {
  root: string;
  proofs: string;
  /** For bundles and pid files. */
  directory: string;
  cgroupName: string;
}

/** Programs that are run, signaled, waited for and deleted by command lines, most of which are killed. */
export class CommandLines {
  kills = 0;
  readonly #options: CommandLineOptions;
  readonly #actors: Actors;
  readonly #ledger: Ledger;

  constructor(options: CommandLineOptions, actors: Actors, ledger: Ledger) {
    this.#options = options;
    this.#actors = actors;
    this.#ledger = ledger;
  }

  /** One program from its launch to its deletion, as far as the killed ones let it come. */
  async runOne(key: string, random: Random): Promise<void> {
    const plan: ProgramPlan = { ...planProgram(random, key), cgroup: random.chance(0.1) };
    this.#ledger.plan(plan);
    await this.#launch(plan, random);
    if (random.chance(0.3)) {
      this.#ledger.hear({ key, verb: 'signaling', signal: 15 });
      await this.#run(['kill', key, 'TERM'], random, 0.3);
    }
    if (random.chance(0.6)) {
      const printed: string[] = [];
      await this.#run(['wait', key], random, 0.3, (line) => printed.push(line));
      for (const line of printed) this.#ledger.hear({ key, verb: 'printed', code: Number(line) });
    }
    if (random.chance(0.8)) {
      const force = random.chance(0.5);
      if (force) this.#ledger.hear({ key, verb: 'signaling', signal: 9 });
      this.#ledger.hear({ key, verb: 'deleting' });
      await this.#run(['delete', ...(force ? ['-f'] : []), key], random, 0.5);
    }
  }

  async #launch(plan: ProgramPlan, random: Random): Promise<void> {
    const { key } = plan;
    const { directory, proofs, cgroupName } = this.#options;
    const bundle = join(directory, key);
    const pidFile = join(bundle, 'pid');
    mkdirSync(bundle);
    writeFileSync(join(bundle, 'config.json'), JSON.stringify(specOf(plan, proofs, cgroupName)));
    this.#ledger.hear({ key, verb: 'launching' });
    const { code } = await this.#run(
      ['run', '--detach', '--bundle', bundle, '--pid-file', pidFile, key],
      random,
      0.5,
    );
    if (code !== 0) return;
    this.#ledger.hear({ key, verb: 'running', pid: Number(readFileSync(pidFile, 'utf8')) });
  }

  async #run(
    args: string[],
    random: Random,
    killed: number,
    onLine: (line: string) => void = () => undefined,
  ): Promise<ActorEnd> {
    // About as long as one takes, from its start.
    const time = { afterReports: 0, ms: random.integer(20, 450) };
    const end = await this.#actors.run(
      launcher,
      ['--root', this.#options.root, ...args],
      process.env,
      onLine,
      random.chance(killed) ? time : undefined,
      args[0] === 'run',
    );
    if (end.killed) this.kills += 1;
    else if (end.code !== 0) {
      const key = args.find((arg) => this.#ledger.accounts.has(arg)) ?? '';
      const failure = { action: args[0] ?? '', code: String(end.code), message: end.stderr };
      this.#ledger.hear({ key, verb: 'failed', ...failure });
    }
    return end;
  }
}
