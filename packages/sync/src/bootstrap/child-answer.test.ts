import { expect, test } from 'vitest';
import { ChildAnswerReader, encodeChildAnswer } from './child-answer.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const code = (value: string): Error => expect.objectContaining({ code: value }) as Error;

const answers: readonly [version: string, text: string, stage1Pid: number | undefined][] = [
  ['0.0.9', '{ "pid" : 123 }\n', undefined],
  ['1.0.0-rc1', '{ "pid" : 123 }\n', undefined],
  ['1.0.0-rc2', '{"pid": 123}\n', undefined],
  ['1.0.0-rc4', '{"pid": 123}\n', undefined],
  ['1.0.0-rc5', '{"pid": 123, "pid_first": 122}\n', 122],
  ['1.0.0-rc93', '{"pid": 123, "pid_first": 122}\n', 122],
  ['1.0.0-rc94', '\0{"stage1_pid":122,"stage2_pid":123}\n', 122],
  ['1.1.5', '\0{"stage1_pid":122,"stage2_pid":123}\n', 122],
  ['1.2.0-rc.3', '\0{"stage1_pid":122,"stage2_pid":123}\n', 122],
  ['1.2.0', '{"stage1_pid":122,"stage2_pid":123}\n', 122],
  ['1.5.1', '{"stage1_pid":122,"stage2_pid":123}\n', 122],
];

test.each(answers)('encodeChildAnswer answers as runc %s does', (version, text, stage1Pid) => {
  const answer = stage1Pid === undefined ? { stage2Pid: 123 } : { stage1Pid, stage2Pid: 123 };
  expect(textOf(encodeChildAnswer(answer, version))).toBe(text);
});

test.each(answers)(
  'ChildAnswerReader reads the answer of runc %s in any pieces',
  (_v, text, stage1Pid) => {
    for (const size of [1, 5, 100]) {
      const bytes = bytesOf(`${text}{"type":`);
      const reader = new ChildAnswerReader();
      let at = 0;
      let answer = reader.push(new Uint8Array(0));
      while (answer === undefined) answer = reader.push(bytes.subarray(at, (at += size)));
      expect(answer).toEqual({
        ...(stage1Pid !== undefined && { stage1Pid }),
        stage2Pid: 123,
        zeroByte: text.startsWith('\0'),
        rest: expect.any(Uint8Array),
      });
      expect(textOf(answer.rest) + textOf(bytes.subarray(at))).toBe('\n{"type":');
    }
  },
);

test.each([
  ['another first byte', '\u0001{"pid":1}'],
  ['two zero bytes', '\0\0{"pid":1}'],
  ['no pid', '{"stage1_pid":1}'],
  ['a pid of 0', '{"pid":0}'],
  ['a pid that is text', '{"pid":"1"}'],
  ['a wrong pid of stage 1', '{"stage1_pid":-1,"stage2_pid":2}'],
  ['a pid beyond 31 bits', '{"pid":2147483648}'],
])('ChildAnswerReader refuses %s', (_what, text) => {
  expect(() => new ChildAnswerReader().push(bytesOf(text))).toThrow(
    code('ERR_SYNC_MALFORMED_OBJECT'),
  );
});

test('ChildAnswerReader refuses an answer without end', () => {
  expect(() => new ChildAnswerReader().push(bytesOf(`{"pid":${' '.repeat(5000)}`))).toThrow(
    code('ERR_SYNC_TOO_LARGE'),
  );
});

test.each(['', '\0', '{"pid"'])(
  'ChildAnswerReader says that the stages died after "%s"',
  (text) => {
    const reader = new ChildAnswerReader();
    reader.push(bytesOf(text));
    expect(() => reader.end()).toThrow(code('ERR_SYNC_TRUNCATED'));
  },
);

test.each([
  ['main', { stage2Pid: 1 }],
  ['1.1.5', { stage2Pid: 1 }],
  ['1.0.0-rc2', { stage1Pid: 1, stage2Pid: 2 }],
  ['1.1.5', { stage1Pid: 1, stage2Pid: 0 }],
  ['1.1.5', { stage1Pid: 1.5, stage2Pid: 2 }],
])('encodeChildAnswer refuses for runc %s %j', (version, answer) => {
  expect(() => encodeChildAnswer(answer, version)).toThrow(code('ERR_SYNC_INVALID_MESSAGE'));
});
