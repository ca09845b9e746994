/** JSON as runc prints one object: two blanks of indentation, no newline at the end. */
export function renderJsonObject(value: object): string {
  return JSON.stringify(value, undefined, 2);
}

/** JSON as runc prints a list: one line, and `null` if there is nothing in it. */
export function renderJsonList(values: readonly object[]): string {
  return `${values.length === 0 ? 'null' : JSON.stringify(values)}\n`;
}
