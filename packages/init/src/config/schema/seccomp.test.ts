import { describe, expect, it } from 'vitest';
import { stockSpec } from '../stock-spec.ts';
import { parseSpec } from '../load-bundle.ts';
import { InvalidConfigError } from '../../errors.ts';
import type { OciSeccomp } from '../spec/seccomp.ts';

function parse(seccomp: string): OciSeccomp | null | undefined {
  const spec = stockSpec();
  delete spec.linux!.seccomp;
  const text = JSON.stringify(spec).replace('"linux":{', `"linux":{"seccomp":${seccomp},`);
  return parseSpec(text).linux?.seccomp;
}

const rule = (part: string): string =>
  `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"SCMP_ACT_KILL",${part}}]}`;
const arg = (part: string): string => rule(`"args":[{"index":0,"op":"SCMP_CMP_EQ",${part}}]`);

describe('seccompSchema', () => {
  it('seccompSchema reads 64-bit values exactly, and drops what it does not know', () => {
    const seccomp = parse(arg('"value":18446744073709551615,"valueTwo":9007199254740993,"x":1'));
    expect(seccomp?.syscalls?.[0]?.args).toEqual([
      {
        index: 0,
        op: 'SCMP_CMP_EQ',
        value: 18_446_744_073_709_551_615n,
        valueTwo: 9_007_199_254_740_993n,
      },
    ]);
  });

  it('seccompSchema takes null for what is left away', () => {
    expect(parse('null')).toBeNull();
    const nothing = '"architectures":null,"flags":null,"syscalls":null';
    expect(parse(`{"defaultAction":"SCMP_ACT_LOG",${nothing}}`)?.flags).toBeNull();
  });

  it.each([
    ['', '{}'],
    ['.defaultAction', '{"defaultAction":"SCMP_ACT_MAYBE"}'],
    ['.defaultErrnoRet', '{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":65536}'],
    ['.defaultErrnoRet', '{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":-1}'],
    ['.architectures[0]', '{"defaultAction":"SCMP_ACT_LOG","architectures":["x86"]}'],
    ['.flags[0]', '{"defaultAction":"SCMP_ACT_LOG","flags":["SECCOMP_FILTER_FLAG_NEW_LISTENER"]}'],
    ['.listenerPath', '{"defaultAction":"SCMP_ACT_LOG","listenerPath":"a\\u0000b"}'],
    ['.syscalls[0].names', rule('"names":[]')],
    ['.syscalls[0].names[0]', rule('"names":["re\\u0000ad"]')],
    ['.syscalls[0].names[0]', rule('"names":[""]')],
    ['.syscalls[0].action', rule('"action":"KILL"')],
    ['.syscalls[0].args[0].value', arg('"value":18446744073709551616')],
    ['.syscalls[0].args[0].value', arg('"value":-1')],
    ['.syscalls[0].args[0].value', arg('"value":1.5')],
    ['.syscalls[0].args[0].value', arg('"valueTwo":1')],
    ['.syscalls[0].args[0].index', arg('"value":1,"index":6')],
    ['.syscalls[0].args[0].op', arg('"value":1,"op":"EQ"')],
  ])('seccompSchema refuses linux.seccomp%s, case %#', (field, seccomp) => {
    expect(() => parse(seccomp)).toThrow(InvalidConfigError);
    const expected = `linux.seccomp${field === '' ? '.defaultAction' : field}`;
    expect(() => parse(seccomp)).toThrow(expect.objectContaining({ field: expected }));
  });
});
