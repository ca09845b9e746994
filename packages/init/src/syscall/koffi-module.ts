export { koffiModulePath } from '@pilotlight/scm-rights/libc';
