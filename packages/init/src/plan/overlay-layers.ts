import type { FilesystemParameter } from '../config/init-config.ts';

/** fsconfig(2): a text value has at most 255 bytes; mount(2): all of them together fit one page. */
export const maxParameterBytes = 255;

/**
 * Overlay's parameters as fsconfig(2) can take them: a list of lower layers that is too long for
 * one value is given layer by layer, Linux 6.7 (`lowerdir+`, `datadir+`). A single path that is
 * still too long is given by descriptor, Linux 6.13. Older kernels get `classicData` by mount(2).
 *
 * Both forms are left away where the parameters fit as they are.
 */
export function planOverlayParameters(parameters: readonly FilesystemParameter[]): {
  parameters: FilesystemParameter[];
  classicData?: string;
} {
  if (parameters.every(([, value]) => fits(value))) return { parameters: [...parameters] };
  return {
    parameters: parameters.flatMap(([key, value]) =>
      key === 'lowerdir' && value !== null && !fits(value)
        ? splitLayers(value)
        : [[key, value] satisfies FilesystemParameter],
    ),
    classicData: parameters
      .map(([key, value]) => (value === null ? key : `${key}=${value.replaceAll(',', '\\,')}`))
      .join(','),
  };
}

const fits = (value: string | null): boolean =>
  value === null || new TextEncoder().encode(value).length <= maxParameterBytes;

/** `a:b::c` is two lower layers and a data-only one; a backslash takes a colon's meaning away. */
function splitLayers(list: string): FilesystemParameter[] {
  const layers: FilesystemParameter[] = [];
  let key = 'lowerdir+';
  let layer = '';
  for (let at = 0; at <= list.length; at++) {
    const character = list[at];
    if (character === '\\') layer += list[++at] ?? '';
    else if (character !== ':' && character !== undefined) layer += character;
    else {
      if (layer !== '') layers.push([key, layer]);
      layer = '';
      if (character === ':' && list[at + 1] === ':') {
        key = 'datadir+';
        at++;
      }
    }
  }
  return layers;
}
