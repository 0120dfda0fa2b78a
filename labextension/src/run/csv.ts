/** Rows of a file of separated values, as RFC 4180 has them. Pure. */

/** The first `most` rows. */
export function rows(text: string, separator: string, most: number): string[][] {
  const found: string[][] = [];
  let row: string[] = [];
  let cell = '';
  let quoted = false;
  for (let i = 0; i < text.length && found.length < most; i++) {
    const c = text[i];
    if (quoted) {
      if (c !== '"') {
        cell += c;
      } else if (text[i + 1] === '"') {
        cell += '"';
        i++;
      } else {
        quoted = false;
      }
    } else if (c === '"' && cell === '') {
      quoted = true;
    } else if (c === separator) {
      row.push(cell);
      cell = '';
    } else if (c === '\n') {
      found.push([...row, cell.replace(/\r$/, '')]);
      row = [];
      cell = '';
    } else {
      cell += c;
    }
  }
  if (found.length < most && (cell !== '' || row.length > 0)) {
    found.push([...row, cell]);
  }
  return found;
}
