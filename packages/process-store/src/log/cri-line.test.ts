import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { CriEncoder, formatCriLine, parseCriLine } from './cri-line.ts';
import { formatCriTime, parseCriTime, WallClock } from './cri-time.ts';

const TIME = 1_700_000_000_000_000_007n;

// Short limits and few newlines, so that all that can happen does.
const output = fc
  .array(fc.oneof(fc.constant(0x0a), fc.integer({ min: 0, max: 255 })), { maxLength: 60 })
  .map((bytes) => Buffer.from(bytes));
const limit = fc.integer({ min: 1, max: 12 });

function encodeAll(chunks: readonly Uint8Array[], maxLineBytes: number): Buffer[] {
  const encoder = new CriEncoder('stdout', maxLineBytes);
  return [...chunks.flatMap((chunk) => encoder.encode(chunk, TIME)), ...encoder.end(TIME)];
}

function chunksOf(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length];
  const sorted = places.toSorted((a, b) => a - b);
  return sorted.slice(1).map((end, index) => bytes.subarray(sorted[index], end));
}

/** What the program wrote, from the lines. */
function joined(lines: readonly Buffer[]): Buffer {
  return Buffer.concat(
    lines.flatMap((line) => {
      const parsed = parseCriLine(line.subarray(0, -1))!;
      return parsed.partial ? [parsed.content] : [parsed.content, Buffer.from('\n')];
    }),
  );
}

test('CriEncoder loses and changes no byte, and keeps to its limit', () => {
  fc.assert(
    fc.property(output, limit, (bytes, maxLineBytes) => {
      const lines = encodeAll([bytes], maxLineBytes);
      expect(joined(lines)).toEqual(bytes);
      for (const line of lines) {
        expect(line.indexOf(0x0a)).toBe(line.length - 1);
        const { content } = parseCriLine(line.subarray(0, -1))!;
        expect(content.length).toBeLessThanOrEqual(maxLineBytes);
      }
    }),
  );
});

test('CriEncoder makes the same lines of whatever chunks', () => {
  fc.assert(
    fc.property(output, limit, fc.array(fc.nat(), { maxLength: 8 }), (bytes, max, cuts) => {
      expect(encodeAll(chunksOf(bytes, cuts), max)).toEqual(encodeAll([bytes], max));
    }),
  );
});

test('CriEncoder keeps nothing of the memory it was given', () => {
  const encoder = new CriEncoder('stderr');
  const chunk = Buffer.from('half');
  encoder.encode(chunk, TIME);
  chunk.fill('x');
  expect(encoder.heldBytes).toBe(4);
  expect(encoder.encode(Buffer.from('\n'), TIME)[0]!.toString()).toContain(' stderr F half\n');
});

test('CriEncoder cuts at 16384 bytes, and not what is exactly as long', () => {
  const line = Buffer.alloc(16_384, 'a');
  const tags = (bytes: Buffer): string[] =>
    new CriEncoder('stdout').encode(bytes, TIME).map((one) => one.toString('latin1', 38, 39));
  expect(tags(Buffer.concat([line, Buffer.from('\n')]))).toEqual(['F']);
  expect(tags(Buffer.concat([line, Buffer.from('a\n')]))).toEqual(['P', 'F']);
});

test('formatCriLine writes the time with nine digits, in UTC', () => {
  const line = formatCriLine(TIME, 'stdout', false, Buffer.from('hello'));
  expect(line.toString()).toBe('2023-11-14T22:13:20.000000007Z stdout F hello\n');
});

test('parseCriLine gives back what formatCriLine was given', () => {
  const content = fc.uint8Array({ maxLength: 20 }).map((bytes) => bytes.filter((b) => b !== 0x0a));
  const time = fc.bigInt({ min: 0n, max: 253_402_300_799_999_999_999n });
  fc.assert(
    fc.property(time, fc.boolean(), fc.boolean(), content, (timeNs, isError, partial, bytes) => {
      const stream = isError ? 'stderr' : 'stdout';
      const line = formatCriLine(timeNs, stream, partial, bytes);
      const parsed = parseCriLine(line.subarray(0, -1))!;
      expect(parsed).toEqual({
        time: formatCriTime(timeNs),
        stream,
        partial,
        content: Buffer.from(bytes),
      });
      expect(parseCriTime(parsed.time)).toBe(timeNs);
    }),
  );
});

test.each([
  // As containerd's CRI logger writes them: Go's RFC3339Nano, without trailing zeros.
  ['2016-10-06T00:17:09.669794202Z stdout P log content 1', 'stdout', true, 'log content 1'],
  ['2016-10-20T18:39:20.57606443Z stdout F stdout test log', 'stdout', false, 'stdout test log'],
  ['2016-10-06T00:17:09Z stderr F ', 'stderr', false, ''],
  ['2016-10-06T00:17:10.5+02:00 stderr F:tag two  spaces', 'stderr', false, 'two  spaces'],
  ['2016-10-06T00:17:10.5Z stdout F', 'stdout', false, ''],
])('parseCriLine reads %j', (line, stream, partial, content) => {
  const parsed = parseCriLine(Buffer.from(line))!;
  expect({ ...parsed, content: parsed.content.toString() }).toEqual({
    time: line.split(' ')[0],
    stream,
    partial,
    content,
  });
});

test.each([
  '',
  'hello world',
  '2016-10-06T00:17:09.669794202Z stdout',
  '2016-10-06T00:17:09.669794202Z stdin F text',
  '2016-10-06T00:17:09.669794202Z stdout X text',
  '2016-13-06T00:17:09.669794202Z stdout F text',
  '2016-10-06 00:17:09Z stdout F text',
  '{"log":"json\\n","stream":"stdout","time":"2016-10-06T00:17:09Z"}',
])('parseCriLine refuses %j', (line) => {
  expect(parseCriLine(Buffer.from(line))).toBeUndefined();
});

test('parseCriTime knows offsets and the value of digits', () => {
  expect(parseCriTime('2023-11-14T23:13:20.000000007+01:00')).toBe(TIME);
  expect(parseCriTime('2023-11-14T22:13:20.5Z')).toBe(1_700_000_000_500_000_000n);
  expect(parseCriTime('2023-11-14T22:13:20.0000000001Z')).toBeUndefined();
});

test('WallClock does not go backwards and stays with Date.now', () => {
  const clock = new WallClock();
  let last = 0n;
  for (let i = 0; i < 1000; i++) {
    const before = BigInt(Date.now() - 3) * 1_000_000n;
    const now = clock.now();
    expect(now >= last && now >= before).toBe(true);
    expect(now <= BigInt(Date.now() + 3) * 1_000_000n).toBe(true);
    last = now;
  }
});
