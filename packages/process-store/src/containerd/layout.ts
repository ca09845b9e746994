import { join } from 'node:path/posix';

/** The id of a container's first process; containerd, `runtime/process.go` of winter 2015/16, InitProcessID. */
export const INIT_PROCESS_ID = 'init';

/** Where containerd of that time kept its state. */
export const defaultStateRoot = '/run/containerd';

/** The file of a container, and the files of each of its processes, by containerd's names. */
export const containerFiles = { state: 'state.json' } as const;

export const processFiles = {
  /** What to run; written first. */
  process: 'process.json',
  /** Fifo without content: whoever reads it sees its end when the process and its output are done. */
  exit: 'exit',
  /** Fifo of lines that resize the terminal or close standard input. */
  control: 'control',
  pid: 'pid',
  /** Field 22 of /proc/pid/stat; later versions wrote it beside `pid`. */
  startTime: 'starttime',
  exitStatus: 'exitStatus',
  /** Ours: the exit record, which tells 255 from unknown. Written before `exitStatus`. */
  exitRecord: 'exit.json',
  /** Ours: flock of the one program that supervises the process. */
  lock: '.lock',
  /** Ours: standard input was closed, and a program that takes over must not open it again. */
  stdinClosed: '.stdin-closed',
} as const;

/** Every path of one process. */
export interface ProcessPaths {
  container: string;
  directory: string;
  file: (name: keyof typeof processFiles) => string;
  /** Of another process of the container. */
  sibling: (id: string) => ProcessPaths;
}

/** The paths under `stateRoot`, an absolute directory. */
export function processPaths(stateRoot: string, container: string, id: string): ProcessPaths {
  const directory = join(stateRoot, container, id);
  return {
    container: join(stateRoot, container),
    directory,
    file: (name) => join(directory, processFiles[name]),
    sibling: (other) => processPaths(stateRoot, container, other),
  };
}
