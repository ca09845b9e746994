import { constants } from 'node:os';
import { InvalidArgumentError } from '../errors.ts';

const SIGRTMIN = 34;
const SIGRTMAX = 64;

const NUMBERS: ReadonlyMap<string, number> = new Map(Object.entries(constants.signals));

const NAMES: ReadonlyMap<number, string> = new Map(
  [...NUMBERS]
    // Two names, one number: signal(7) lists these as synonyms.
    .filter(([name]) => name !== 'SIGIOT' && name !== 'SIGPOLL' && name !== 'SIGUNUSED')
    .map(([name, number]) => [number, name]),
);

/** Name of a signal, `SIGTERM` for 15, `SIGRTMIN+2` for 36; undefined for a number that has none. */
export function signalName(number: number): string | undefined {
  if (number === SIGRTMIN) return 'SIGRTMIN';
  if (number > SIGRTMIN && number <= SIGRTMAX) return `SIGRTMIN+${number - SIGRTMIN}`;
  return NAMES.get(number);
}

/**
 * Number of a signal given as number (1 to 64), as digits, or by name with or without `SIG`, in any case; signal(7).
 *
 * Throws InvalidArgumentError.
 */
export function signalNumber(signal: string | number): number {
  const number = typeof signal === 'number' ? signal : parse(signal.trim().toUpperCase());
  if (number === undefined || !Number.isInteger(number) || number < 1 || number > SIGRTMAX) {
    throw new InvalidArgumentError('a signal', 'a name or a number from 1 to 64', String(signal));
  }
  return number;
}

function parse(text: string): number | undefined {
  if (/^\d{1,3}$/.test(text)) return Number(text);
  const name = text.startsWith('SIG') ? text : `SIG${text}`;
  const [, base, sign, distance] = /^SIGRT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(name) ?? [];
  if (base === undefined) return NUMBERS.get(name);
  const offset = Number(distance ?? 0) * (sign === '-' ? -1 : 1);
  const number = (base === 'MIN' ? SIGRTMIN : SIGRTMAX) + offset;
  return number >= SIGRTMIN && number <= SIGRTMAX ? number : undefined;
}
