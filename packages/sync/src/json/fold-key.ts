/**
 * The form under which two ASCII keys are equal for Go's decoder: letter case is ignored, and the
 * two letters that Unicode folds into ASCII, U+017F (long s) and U+212A (Kelvin sign), count as
 * `s` and `k`. Other characters stay, so they equal only themselves.
 */
export function foldKey(key: string): string {
  return key.replace(/[A-Z\u017f\u212a]/g, (letter) =>
    letter === '\u017f' ? 's' : letter.toLowerCase(),
  );
}
