export type PlannedDevice = {
  /** Name below /dev. */
  name: string;
  major: number;
  minor: number;
};

/** The character devices that every container has, config-linux.md "Default Devices"; mode 0666, owner 0:0. */
export const defaultDevices: readonly PlannedDevice[] = [
  { name: 'null', major: 1, minor: 3 },
  { name: 'zero', major: 1, minor: 5 },
  { name: 'full', major: 1, minor: 7 },
  { name: 'random', major: 1, minor: 8 },
  { name: 'urandom', major: 1, minor: 9 },
  { name: 'tty', major: 5, minor: 0 },
];

/** Links in /dev: name → target; runtime-linux.md "Dev symbolic links". */
export const devLinks: readonly (readonly [name: string, target: string])[] = [
  ['fd', '/proc/self/fd'],
  ['stdin', '/proc/self/fd/0'],
  ['stdout', '/proc/self/fd/1'],
  ['stderr', '/proc/self/fd/2'],
  ['ptmx', 'pts/ptmx'],
];
