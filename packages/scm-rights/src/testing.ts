/** Entry point `./testing`: counting descriptors in tests, and finding those that were forgotten. */
export { countOpenFds, listOpenFds } from './testing/open-fds.ts';
export { withoutFdLeak } from './testing/without-fd-leak.ts';
export { FdTrace, traceFds } from './testing/trace-fds.ts';
