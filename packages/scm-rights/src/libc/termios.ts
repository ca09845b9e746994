import { TCGETS, TCSETS } from './constants.ts';
import { invoke, lazyFunction } from './invoke.ts';

const call = lazyFunction('ioctl', 'int', ['int', 'ulong', 'void *']);

/** The kernel's `struct termios`: four flag words, line discipline, 19 control characters. */
const TERMIOS_BYTES = 36;
const OUTPUT_FLAGS = 4;

/** Clears bits of a terminal's output flags (`c_oflag`, termios(3)); TCGETS and TCSETS of ioctl_tty(2). */
export function clearOutputFlags(fd: number, bits: number): void {
  const termios = new Uint8Array(TERMIOS_BYTES);
  const view = new DataView(termios.buffer);
  invoke('ioctl TCGETS', fd, call(), fd, TCGETS, termios);
  view.setUint32(OUTPUT_FLAGS, view.getUint32(OUTPUT_FLAGS, true) & ~bits, true);
  invoke('ioctl TCSETS', fd, call(), fd, TCSETS, termios);
}
