/**
 * A piece of foreign text that is safe to put into a message: quoted, control characters
 * escaped, and cut after `maxCharacters` with the full length named.
 */
export function excerpt(text: string, maxCharacters = 120): string {
  if (text.length <= maxCharacters) return JSON.stringify(text);
  return `${JSON.stringify(text.slice(0, maxCharacters))}… (${text.length} characters)`;
}
