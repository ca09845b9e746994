/** Inclusive ranges, as they were written. */
export type NumberRanges = [first: number, last: number][];

const form = /^\s*\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*\s*$/;

/** Whether `text` is empty or a list such as `0-3,7`, of numbers up to `highest`. */
export function isNumberList(text: string, highest: number): boolean {
  if (text === '') return true;
  if (!form.test(text)) return false;
  return parseNumberList(text).every(([first, last]) => first <= last && last <= highest);
}

/** The ranges of a list that isNumberList accepts; cpuset(7), List Format. */
export function parseNumberList(text: string): NumberRanges {
  if (text === '') return [];
  return text
    .trim()
    .split(',')
    .map((part) => {
      const [first, last] = part.split('-').map(Number);
      return [first!, last ?? first!];
    });
}

/** A bit for every number of `ranges`, lowest first, as the kernel takes CPU and node masks. */
export function numberMask(ranges: NumberRanges, bytes: number): Uint8Array {
  const mask = new Uint8Array(bytes);
  for (const [first, last] of ranges) {
    for (let number = first; number <= last; number++) mask[number >> 3]! |= 1 << (number & 7);
  }
  return mask;
}
