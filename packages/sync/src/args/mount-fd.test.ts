import { expect, test } from 'vitest';
import { InvalidArgError, MalformedArgError } from '../errors.ts';
import { decodeMountFd, encodeMountFd, mountFdSchema, type MountFdType } from './mount-fd.ts';

test.each<MountFdType>(['plain-open', 'open_tree'])('encodeMountFd writes %s', (type) => {
  const raw = encodeMountFd({ type });
  expect(raw).toBe(`{"type":"${type}"}`);
  expect(decodeMountFd(raw)).toEqual({ type });
  expect(mountFdSchema.parse({ type })).toEqual({ type });
});

test('decodeMountFd reads keys in any letter case and ignores others', () => {
  expect(decodeMountFd('{"x":1,"Type":"open_tree"}')).toEqual({ type: 'open_tree' });
});

test.each(['{}', '[]', '"open_tree"', '{"type":"open-tree"}', '{"type":1}', '{"type":null}', '{'])(
  'decodeMountFd refuses %s',
  (raw) => {
    expect(() => decodeMountFd(raw)).toThrow(MalformedArgError);
  },
);

test('encodeMountFd refuses an unknown way of opening', () => {
  expect(() => encodeMountFd({ type: 'fsopen' as MountFdType })).toThrow(InvalidArgError);
});
