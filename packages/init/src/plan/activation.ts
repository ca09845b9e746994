import { InvalidConfigError } from '../errors.ts';

/** What the environment tells a program of the sockets that it was started with; sd_listen_fds(3). */
export type PlannedActivation = {
  /** How many descriptors, from 3 on. */
  count: number;
  names: string[] | undefined;
};

const maxNameLength = 255;

/**
 * @param names one for each descriptor
 * @throws InvalidConfigError for names that are too many, too few or impossible
 */
export function planActivation(
  count: number,
  names: readonly string[] | undefined,
): PlannedActivation | undefined {
  if (names !== undefined && names.length !== count) {
    refuse(`${names.length} names were given for ${count} descriptors`);
  }
  for (const name of names ?? []) {
    // sd_listen_fds_with_names(3): ASCII without control characters, and the colon separates.
    if (name.length <= maxNameLength && /^[\x20-\x39\x3b-\x7e]*$/.test(name)) continue;
    refuse(`${JSON.stringify(name.slice(0, 100))} cannot be a name`);
  }
  return count === 0 ? undefined : { count, names: names === undefined ? undefined : [...names] };
}

function refuse(reason: string): never {
  throw new InvalidConfigError('listenFdNames', `listenFdNames: ${reason}`, {
    hint: `Give each of listenFds a name of ASCII without colons, at most ${maxNameLength} characters; see sd_listen_fds(3).`,
  });
}
