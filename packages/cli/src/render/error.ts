import { causeChain } from '../cause-chain.ts';
import { printable } from './printable.ts';

/** What an error tells, field by field. */
export interface ErrorFacts {
  message: string;
  /** Of causes that tell something new, outermost first. */
  causes: string[];
  code: string | undefined;
  step: string | undefined;
  path: string | undefined;
  /** Its name, such as `ENOENT`. */
  errno: string | undefined;
  syscall: string | undefined;
  /** Of a configuration. */
  field: string | undefined;
  hint: string | undefined;
  /** Of an error that should not have happened. */
  stack: string | undefined;
}

/** Collects what the error and its causes tell; the outermost that knows a field decides it. */
export function errorFacts(error: unknown): ErrorFacts {
  const chain = causeChain(error);
  const message = messageOf(error);
  const causes: string[] = [];
  for (const cause of [...chain.slice(1), ...parts(error)]) {
    const text = messageOf(cause);
    if (text !== '' && ![message, ...causes].some((told) => tells(told, cause))) causes.push(text);
  }
  const field = (name: string): string | undefined => textField(chain, name);
  const code = field('code');
  const known = code !== undefined;
  return {
    message,
    causes,
    code,
    step: field('step'),
    path: field('path'),
    errno: field('errnoCode') ?? chain.map(errnoName).find((name) => name !== undefined),
    syscall: field('syscall'),
    field: field('field'),
    hint:
      field('hint') ??
      (known ? undefined : 'This is a defect of pilotlight. Please report it with the text above.'),
    stack: known || !(error instanceof Error) ? undefined : error.stack,
  };
}

/** An error as people read it, in a few lines that end with a newline; nothing in it commands a terminal. */
export function renderError(error: unknown, { colour }: { colour: boolean }): string {
  const { message, causes, step, path, errno, hint, stack } = errorFacts(error);
  const bold = (text: string): string => (colour ? `\x1b[1;31m${text}\x1b[0m` : text);
  const dim = (text: string): string => (colour ? `\x1b[2m${text}\x1b[0m` : text);
  const lines = [`${bold('pilotlight:')} ${printable(stack ?? message)}`];
  for (const cause of causes) lines.push(`  ${dim('cause:')} ${printable(cause)}`);
  const operands = Object.entries({ step, path, errno })
    .filter(([, value]) => value !== undefined && value !== '')
    .map(([name, value]) => `${dim(`${name}:`)} ${printable(value ?? '')}`);
  // A path or an errno alone is in the message already.
  if (step !== undefined) lines.push(`  ${operands.join('  ')}`);
  if (hint !== undefined) lines.push(`  ${dim('hint:')} ${printable(hint)}`);
  return `${lines.join('\n')}\n`;
}

/** Whether `told` leaves nothing of the cause to say. */
function tells(told: string, cause: unknown): boolean {
  const text = messageOf(cause);
  // A schema's own report is a page of JSON; its first issue is in our message.
  if (cause instanceof Error && cause.name === 'ZodError') return true;
  if (told.includes(text) || text.includes(told)) return true;
  const errno = errnoName(cause);
  return errno !== undefined && told.includes(errno);
}

function parts(error: unknown): unknown[] {
  return error instanceof AggregateError ? error.errors : [];
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function textField(chain: readonly unknown[], name: string): string | undefined {
  for (const one of chain) {
    if (typeof one !== 'object' || one === null) continue;
    const value = (one as Record<string, unknown>)[name];
    if (typeof value === 'string' && value !== '') return value;
  }
  return undefined;
}

/** Errors of Node and of system calls have the name of the errno as their code. */
function errnoName(one: unknown): string | undefined {
  if (typeof one !== 'object' || one === null || !('errno' in one) || !('code' in one))
    return undefined;
  return typeof one.errno === 'number' && typeof one.code === 'string' ? one.code : undefined;
}
