import { cString } from './c-string.ts';
import { invoke, lazyFunction } from './invoke.ts';

const byPath = lazyFunction('statfs', 'int', ['str', 'void *']);
const byFd = lazyFunction('fstatfs', 'int', ['int', 'void *']);

/** Magic number of the file system that `path` is on; `statfs(2)`. */
export function statfsType(path: string): number {
  const bytes = new Uint8Array(120);
  invoke('statfs', path, byPath(), cString(path), bytes);
  return typeOf(bytes);
}

/** Magic number of the file system that the open file is on; `fstatfs(2)`. */
export function fstatfsType(fd: number): number {
  const bytes = new Uint8Array(120);
  invoke('fstatfs', fd, byFd(), fd, bytes);
  return typeOf(bytes);
}

function typeOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer).getUint32(0, true);
}
