import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  ControlLines,
  type ControlMessage,
  formatControlLine,
  parseControlLine,
} from './control-line.ts';

const size = fc.integer({ min: 0, max: 65_535 });
const message: fc.Arbitrary<ControlMessage> = fc.oneof(
  fc.constant({ type: 'closeStdin' as const }),
  fc.record({ type: fc.constant('resize' as const), width: size, height: size }),
);

test('parseControlLine reads what formatControlLine wrote, width before height', () => {
  expect(formatControlLine({ type: 'resize', width: 100, height: 40 })).toBe('1 100 40\n');
  expect(formatControlLine({ type: 'closeStdin' })).toBe('0 0 0\n');
  fc.assert(
    fc.property(message, (sent) => {
      expect(parseControlLine(formatControlLine(sent).trimEnd())).toEqual(sent);
    }),
  );
});

test('ControlLines gives the same messages however the bytes are cut, garbage lines among them', () => {
  const noise = fc.string({ maxLength: 100 }).map((text) => `x${text.replaceAll('\n', '')}\n`);
  const lines = fc.array(fc.oneof(message, noise), { maxLength: 8 });
  fc.assert(
    fc.property(lines, fc.array(fc.nat(40)), (sent, cuts) => {
      const text = sent.map((one) => (typeof one === 'string' ? one : formatControlLine(one)));
      let bytes = Buffer.from(text.join(''), 'utf8');
      const reader = new ControlLines();
      const received: ControlMessage[] = [];
      for (const cut of cuts) {
        received.push(...reader.push(bytes.subarray(0, cut)));
        bytes = bytes.subarray(cut);
      }
      received.push(...reader.push(bytes));
      expect(received).toEqual(sent.filter((one) => typeof one !== 'string'));
    }),
  );
});

test.each([
  '',
  '0',
  '0 0',
  'garbage',
  'x 0 0',
  '0x0 0 0',
  '0 0 0 0',
  ' 0 0 0',
  '0 0 0 ',
  '2 0 0',
  '-1 0 0',
  '1 -1 40',
  '1 65536 40',
  '1 100 65536',
  '1 100',
  '1.5 1 1',
  '\0 0 0',
])('parseControlLine takes %j for no message', (line) => {
  expect(parseControlLine(line)).toBeUndefined();
});

test('ControlLines forgets a line that is too long, and its end, and reads the next one', () => {
  const reader = new ControlLines();
  for (let piece = 0; piece < 1000; piece++)
    expect(reader.push(Buffer.alloc(1000, '9'))).toEqual([]);
  expect(reader.push(Buffer.from(' 0 0\n0 0 0\n'))).toEqual([{ type: 'closeStdin' }]);
});
