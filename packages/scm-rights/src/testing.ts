/** Entry point `./testing`: counting descriptors in tests. */
export { countOpenFds, listOpenFds } from './testing/open-fds.ts';
export { withoutFdLeak } from './testing/without-fd-leak.ts';
