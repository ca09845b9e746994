import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planOverlayParameters } from './overlay-layers.ts';

const long = `/${'x'.repeat(200)}`;

describe('planOverlayParameters', () => {
  it('planOverlayParameters leaves what fits as it is', () => {
    const parameters: [string, string | null][] = [
      ['lowerdir', '/a:/b::/c'],
      ['volatile', null],
    ];
    expect(planOverlayParameters(parameters)).toEqual({ parameters });
  });

  it('planOverlayParameters gives a long list layer by layer, and as one text for older kernels', () => {
    const lowerdir = `${long}:/a\\:b,c:${long}::/data`;
    expect(
      planOverlayParameters([
        ['lowerdir', lowerdir],
        ['upperdir', '/u'],
        ['volatile', null],
      ]),
    ).toEqual({
      parameters: [
        ['lowerdir+', long],
        ['lowerdir+', '/a:b,c'],
        ['lowerdir+', long],
        ['datadir+', '/data'],
        ['upperdir', '/u'],
        ['volatile', null],
      ],
      classicData: `lowerdir=${lowerdir.replace(',', '\\,')},upperdir=/u,volatile`,
    });
  });

  it('planOverlayParameters splits every list into the layers it was made of', () => {
    const layer = fc
      .string({ minLength: 1, maxLength: 30 })
      .filter((text) => !text.includes('\0'))
      .map((text) => `/${text}`);
    fc.assert(
      fc.property(fc.array(layer, { minLength: 1 }), (layers) => {
        const escaped = [...layers, long, long].map((path) => path.replaceAll(/[\\:]/g, '\\$&'));
        const { parameters } = planOverlayParameters([['lowerdir', escaped.join(':')]]);
        expect(parameters).toEqual([...layers, long, long].map((path) => ['lowerdir+', path]));
      }),
    );
  });
});
