import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isSyscallError } from './errors.ts';
import { renameExchange } from './rename-exchange.ts';

test('renameExchange lets two directories change places', () => {
  const parent = mkdtempSync(join(tmpdir(), 'exchange-'));
  try {
    for (const name of ['a', 'b']) {
      mkdirSync(join(parent, name));
      writeFileSync(join(parent, name, 'was'), name);
    }
    renameExchange(join(parent, 'a'), join(parent, 'b'));
    expect(readFileSync(join(parent, 'a', 'was'), 'utf8')).toBe('b');
    expect(readFileSync(join(parent, 'b', 'was'), 'utf8')).toBe('a');
  } finally {
    rmSync(parent, { recursive: true });
  }
});

test('renameExchange changes nothing where one of them is missing', () => {
  const parent = mkdtempSync(join(tmpdir(), 'exchange-'));
  try {
    mkdirSync(join(parent, 'a'));
    let refused: unknown;
    try {
      renameExchange(join(parent, 'a'), join(parent, 'b'));
    } catch (error) {
      refused = error;
    }
    expect(isSyscallError(refused, 'ENOENT')).toBe(true);
    expect(refused).toMatchObject({ syscall: 'renameat2', path: join(parent, 'a') });
    expect(readdirSync(parent)).toEqual(['a']);
  } finally {
    rmSync(parent, { recursive: true });
  }
});
