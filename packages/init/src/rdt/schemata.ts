/** One line of a `schemata` file: a resource, and a value for each of its domains. */
type Schema = { resource: string; values: Map<string, string> };

/** `L3:0=7f0;1=1f`. The kernel pads names with blanks, and masks with zeros. */
function parseSchema(line: string): Schema {
  const [resource = '', domains = ''] = line.trim().split(':');
  const values = domains
    .split(';')
    .filter((domain) => domain.trim() !== '')
    .map((domain): [string, string] => {
      const [id = '', value = ''] = domain.split('=');
      return [normalized(id), normalized(value)];
    });
  return { resource: resource.trim(), values: new Map(values) };
}

const normalized = (number: string): string =>
  number
    .trim()
    .toLowerCase()
    .replace(/^0+(?=.)/, '');

/** Whether the text of a `schemata` file already says what `line` does. */
export function holdsSchema(schemata: string, line: string): boolean {
  const wanted = parseSchema(line);
  const present = schemata
    .split('\n')
    .map((each) => parseSchema(each))
    .find(({ resource }) => resource === wanted.resource);
  if (present === undefined) return false;
  return [...wanted.values].every(([domain, value]) => present.values.get(domain) === value);
}
