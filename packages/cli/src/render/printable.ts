/**
 * Text of others, such as what a container's child or hook said, made safe for a terminal: control
 * characters and those that turn the direction of writing become visible escapes. Further lines
 * are indented, so that none looks like one of ours.
 */
export function printable(text: string): string {
  return text
    .replaceAll(unprintable, (character) => {
      const code = character.codePointAt(0) ?? 0;
      return code < 0x100
        ? `\\x${code.toString(16).padStart(2, '0')}`
        : `\\u${code.toString(16).padStart(4, '0')}`;
    })
    .replaceAll('\n', '\n    ');
}

// All of C0 but the tab and the line feed, DEL, C1, line separators, and bidirectional controls.
const unprintable = new RegExp(
  String.raw`[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]`,
  'g',
);
