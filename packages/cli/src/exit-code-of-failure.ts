import { isLaunchError } from '@pilotlight/init';
import { causeChain } from './cause-chain.ts';
import { InterruptedError } from './errors.ts';
import { exitCodes } from './exit-code.ts';

/** The exit code that stands for a failure of ours. */
export function exitCodeOfFailure(error: unknown): number {
  for (const one of causeChain(error)) {
    if (one instanceof InterruptedError) return exitCodes.signalBase + one.signalNumber;
    if (isLaunchError(one) && one.step === 'exec') {
      return one.errnoCode === 'ENOENT' ? exitCodes.programNotFound : exitCodes.cannotExecute;
    }
  }
  return exitCodes.failure;
}
