import { type CgroupListing, parseFlatKeyed, readInterface } from './cgroup-files.ts';
import type { Pressure, PressureLine } from './stats-types.ts';

/** Reads interface files of a container's cgroups, from whichever of them has the file. */
export class CgroupReader {
  readonly #cgroups: readonly CgroupListing[];

  /** @param cgroups where two have a file, that of v1 counts: its controller is the one in use */
  constructor(cgroups: readonly CgroupListing[]) {
    this.#cgroups = cgroups.toSorted((a, b) => a.version - b.version);
  }

  has(file: string): boolean {
    return this.#cgroups.some(({ files }) => files.has(file));
  }

  *files(): Iterable<string> {
    for (const { files } of this.#cgroups) yield* files;
  }

  /** @param beside another file that the cgroup must have, for a name that several controllers use */
  async text(file: string, beside: string = file): Promise<string | undefined> {
    const found = this.#cgroups.find(({ files }) => files.has(file) && files.has(beside));
    return found === undefined ? undefined : readInterface(found.path, file);
  }

  async keyed(file: string, beside?: string): Promise<Map<string, bigint>> {
    return parseFlatKeyed((await this.text(file, beside)) ?? '');
  }

  /** `undefined` also for `max`. */
  async number(file: string): Promise<bigint | undefined> {
    const text = await this.text(file);
    return text !== undefined && /^\d+$/.test(text) ? BigInt(text) : undefined;
  }

  async numbers(file: string): Promise<bigint[] | undefined> {
    const text = await this.text(file);
    return text?.trim().split(/\s+/).filter(Boolean).map(BigInt);
  }

  async pressure(file: string): Promise<Pressure | undefined> {
    const text = await this.text(file);
    if (text === undefined || text === '') return undefined;
    return { some: pressureLine(text, 'some'), full: pressureLine(text, 'full') };
  }
}

function pressureLine(text: string, kind: string): PressureLine | undefined {
  const match = new RegExp(
    `^${kind} avg10=([\\d.]+) avg60=([\\d.]+) avg300=([\\d.]+) total=(\\d+)$`,
    'm',
  ).exec(text);
  if (match === null) return undefined;
  const [, avg10, avg60, avg300, total] = match;
  return {
    avg10: Number(avg10),
    avg60: Number(avg60),
    avg300: Number(avg300),
    total: BigInt(total!),
  };
}
