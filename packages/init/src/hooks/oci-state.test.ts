import { describe, expect, it } from 'vitest';
import { ociState } from './oci-state.ts';

describe('ociState', () => {
  it('ociState has the keys of the specification in the order of runc', () => {
    const facts = { id: 'a', bundle: '/b', annotations: { x: 'y' } };
    expect(JSON.stringify(ociState(facts, 'creating', 7))).toBe(
      '{"ociVersion":"1.3.0","id":"a","status":"creating","pid":7,"bundle":"/b","annotations":{"x":"y"}}',
    );
  });

  it('ociState leaves out the pid of a stopped container, and annotations that are not there', () => {
    const bare = { ociVersion: '1.3.0', id: 'a', status: 'stopped', bundle: '/b' };
    expect(ociState({ id: 'a', bundle: '/b' }, 'stopped', 7)).toEqual(bare);
    expect(ociState({ id: 'a', bundle: '/b', annotations: {} }, 'stopped')).toEqual(bare);
  });
});
