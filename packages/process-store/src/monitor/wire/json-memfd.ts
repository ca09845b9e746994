import { memfdFrom, memfdRead, type OwnedFd } from '@pilotlight/scm-rights';
import { type JsonValue, stringifyExactJson } from '@pilotlight/sync';

/** A value as JSON in a sealed file in memory, because it may not fit a packet; 64-bit numbers are exact. The caller closes it. */
export function toMemfd(name: string, value: JsonValue): OwnedFd {
  return memfdFrom(name, Buffer.from(stringifyExactJson(value)));
}

/** The text in such a file. Throws Node's error, InvalidArgumentError if it is more than 64 MiB. */
export function readMemfd(memfd: OwnedFd): string {
  return Buffer.from(memfdRead(memfd)).toString();
}
