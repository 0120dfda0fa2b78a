/** The rows of a log in the page: what stays in sight stays in the page. */
import type { Line } from '../api/models';
import { fillRow } from '../log/row';
import { Rows } from '../log/rows';

const LINES = Array.from({ length: 1000 }, (_, n) => ({ text: `line ${n}`, stream: 'stdout' }) as Line);

function shown(rows: Rows): string[] {
  return [...rows.node.children].map(row => row.textContent!);
}

function expected(first: number, count: number): string[] {
  return LINES.slice(first, first + count).map(line => line.text);
}

test.each([3, -3, 9, -9, 10, 400, 0])('a move by %d lines shows the right ones in the right order', by => {
  const rows = new Rows(() => undefined);
  const get = (number: number) => LINES[number];
  rows.fill(500, 10, get, null);
  const before = [...rows.node.children];
  rows.fill(500 + by, 10, get, null);
  expect(shown(rows)).toEqual(expected(500 + by, 10));
  const kept = [...rows.node.children].filter(row => before.indexOf(row) - [...rows.node.children].indexOf(row) === by);
  expect(kept).toHaveLength(Math.abs(by) < 10 ? 10 - Math.abs(by) : 0);
});

test('a window that grows, shrinks and has nothing yet', () => {
  const rows = new Rows(() => undefined);
  rows.fill(0, 4, () => undefined, null);
  expect(shown(rows)).toEqual(['', '', '', '']);
  expect(rows.node.querySelectorAll('.jr-Log-line')).toHaveLength(4);
  rows.fill(0, 7, number => LINES[number], null);
  expect(shown(rows)).toEqual(expected(0, 7));
  rows.fill(2, 3, number => LINES[number], null);
  expect(shown(rows)).toEqual(expected(2, 3));
});

test('the mark goes with its line', () => {
  const rows = new Rows(() => undefined);
  const get = (number: number) => LINES[number];
  const marked = () => [...rows.node.querySelectorAll('.jr-mod-found')].map(row => row.textContent);
  rows.fill(0, 5, get, 3);
  expect(marked()).toEqual(['line 3']);
  rows.fill(2, 5, get, 3);
  expect(marked()).toEqual(['line 3']);
  rows.fill(4, 5, get, 3);
  expect(marked()).toEqual([]);
  rows.fill(0, 5, get, 4);
  expect(marked()).toEqual(['line 4']);
});

test('a row that is filled again looks as one that never was', () => {
  const texts = ['plain', 'other', '', '\x1b[31mred\x1b[0m rest', '\x1b[32mgreen\x1b[0m more', 'a\x1b[1mb', '\x1b[7minverse', '\x1b[31;7mboth', '\x1b[1;44mbold', '<b>&amp;'];
  const lines = [
    undefined,
    ...texts.map(text => ({ text, stream: 'stdout' }) as Line),
    { text: 'figure', stream: 'stderr', display: 1, mime: ['image/png'] } as unknown as Line
  ];
  const fresh = (line: Line | undefined) => {
    const row = document.createElement('div');
    fillRow(row, line, () => undefined);
    return row;
  };
  // eslint-disable-next-line no-restricted-properties -- read here
  const plain = (row: HTMLElement) => row.outerHTML.replace(/ (class|style)=""/g, '');
  for (const first of lines) {
    for (const second of lines) {
      const row = fresh(first);
      fillRow(row, second, () => undefined);
      expect(plain(row)).toBe(plain(fresh(second)));
    }
  }
});
