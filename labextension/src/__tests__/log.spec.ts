/** The log: colours, rows without markup, lines that come and go, the maths of a long list. */
import type { Line, Output, OutputEvent } from '../api/models';
import { pieces } from '../log/ansi';
import { Lines, PAGE_LINES, PAGES_KEPT } from '../log/lines';
import { fillRow } from '../log/row';
import { boxHeight, scrollTo, TALLEST_PX, visible } from '../viewport';

const line = (text: string, more: Partial<Line> = {}): Line => ({ text, stream: 'stdout', wrapped: false, ...more }) as Line;
const output = (from: number, count: number, total: number, more: Partial<Output> = {}): Output =>
  ({
    first_line: 0,
    total,
    settled: total,
    from_line: from,
    complete: false,
    lines: Array.from({ length: count }, (_, at) => line(`line ${from + at}`)),
    ...more
  }) as Output;

describe('colours', () => {
  test('a line without any is one piece', () => {
    expect(pieces('plain')).toEqual([{ text: 'plain', look: {} }]);
    expect(pieces('')).toEqual([]);
  });

  test('a look goes on until it is taken back', () => {
    const found = pieces('a\x1b[1;31mb\x1b[22mc\x1b[0md');
    expect(found.map(piece => piece.text)).toEqual(['a', 'b', 'c', 'd']);
    expect(found[1].look.bold).toBe(true);
    expect(found[1].look.color).toContain('red');
    expect(found[2].look.bold).toBe(false);
    expect(found[2].look.color).toContain('red');
    expect(found[3].look).toEqual({});
  });

  test('the palette of 256 and true colours', () => {
    expect(pieces('\x1b[38;5;196mx')[0].look.color).toBe('rgb(255, 0, 0)');
    expect(pieces('\x1b[38;5;244mx')[0].look.color).toBe('rgb(128, 128, 128)');
    expect(pieces('\x1b[48;2;1;2;3mx')[0].look.background).toBe('rgb(1, 2, 3)');
    expect(pieces('\x1b[38;2;999;5;3mx')[0].look.color).toBe('rgb(255, 5, 3)');
    expect(pieces('\x1b[38;5;1;4mx')[0].look.underline).toBe(true);
  });

  test('other sequences and control characters are not shown', () => {
    expect(pieces('a\x1b[2Kb\x07c').map(piece => piece.text).join('')).toBe('abc');
    expect(pieces('\x1b[31').map(piece => piece.text).join('')).toBe('[31');
  });
});

describe('a row', () => {
  test('markup of a host stays text', () => {
    const row = document.createElement('div');
    fillRow(row, line('<img src=x onerror=alert(1)>\x1b[31m<b>no</b>'), () => undefined);
    expect(row.querySelectorAll('img, b')).toHaveLength(0);
    expect(row.textContent).toBe('<img src=x onerror=alert(1)><b>no</b>');
  });

  test('stderr and notes look different, a display has a button', () => {
    const row = document.createElement('div');
    const shown: number[] = [];
    fillRow(row, line('<Figure>', { stream: 'stderr', display: 3, mime: ['image/png'] }), number => shown.push(number));
    expect(row.className).toContain('jr-mod-stderr');
    row.querySelector('button')!.click();
    expect(shown).toEqual([3]);
    fillRow(row, undefined, () => undefined);
    expect(row.textContent).toBe('');
    expect(row.className).toBe('jr-Log-line');
  });
});

describe('lines', () => {
  test('what is missing is asked for by the page', () => {
    const lines = new Lines();
    lines.take(output(4500, 500, 5000));
    expect(lines.get(4999)!.text).toBe('line 4999');
    expect(lines.missing(4600, 4650)).toBeNull();
    expect(lines.missing(1200, 1260)).toEqual([1000, 500]);
    expect(lines.missing(4990, 9999)).toBeNull();
  });

  test('a request covers only what is not here of the last page', () => {
    const lines = new Lines();
    lines.take(output(1000, 100, 1100));
    lines.hear({ ...output(1100, 0, 1400), lines: undefined } as unknown as OutputEvent);
    expect(lines.missing(1090, 1150)).toEqual([1100, 300]);
  });

  test('an event replaces the lines that changed', () => {
    const lines = new Lines();
    lines.take(output(0, 10, 10, { settled: 9 }));
    lines.hear({ ...output(9, 0, 11), lines: [line('50%'), line('next')] } as unknown as OutputEvent);
    expect([8, 9, 10].map(at => lines.get(at)!.text)).toEqual(['line 8', '50%', 'next']);
    lines.hear({ ...output(9, 0, 400), lines: undefined } as unknown as OutputEvent);
    expect(lines.get(9)).toBeUndefined();
    expect(lines.get(8)!.text).toBe('line 8');
  });

  test('a million lines that are scrolled through leave a bounded number here', () => {
    const lines = new Lines();
    for (let from = 0; from < 1_000_000; from += PAGE_LINES) {
      lines.take(output(from, PAGE_LINES, 1_000_000));
    }
    let here = 0;
    for (let number = 0; number < 1_000_000; number++) {
      here += lines.get(number) ? 1 : 0;
    }
    expect(here).toBe(PAGE_LINES * PAGES_KEPT);
    expect(lines.get(999_999)!.text).toBe('line 999999');
  });

  test('finding goes on from the last place, and around', () => {
    const lines = new Lines();
    lines.take(output(0, 30, 30));
    expect(lines.find('LINE 1', -1)).toBe(1);
    expect(lines.find('line 1', 1)).toBe(10);
    expect(lines.find('line 1', 19)).toBe(1);
    expect(lines.find('line 1', 10, true)).toBe(1);
    expect(lines.find('nothing', 0)).toBeNull();
  });
});

describe('a long list', () => {
  test('a few rows beside those in sight are drawn', () => {
    expect(visible(0, 160, 16, 1000, 2)).toEqual({ first: 0, last: 12, offset: 0 });
    expect(visible(1600, 160, 16, 1000, 2)).toEqual({ first: 98, last: 112, offset: 1568 });
    expect(visible(999_999, 160, 16, 1000, 2).last).toBe(1000);
    expect(visible(0, 160, 16, 0)).toEqual({ first: 0, last: 0, offset: 0 });
  });

  test.each([1_000, 1_000_000, 20_000_000])('both ends of %d rows are reached', count => {
    const [height, row] = [600, 16];
    const box = boxHeight(count, row);
    expect(box).toBeLessThanOrEqual(TALLEST_PX);
    expect(visible(0, height, row, count, 0).first).toBe(0);
    const end = visible(box - height, height, row, count, 0);
    expect(end.last).toBe(count);
    expect(end.offset + (end.last - end.first) * row).toBeCloseTo(box, 0);
  });

  test.each([0, 1, 777, 999_999, 19_999_000])('row %d is in sight after going to it', number => {
    const [height, row, count] = [600, 16, 20_000_000];
    const { first, last } = visible(scrollTo(number, height, row, count), height, row, count, 1);
    expect(first).toBeLessThanOrEqual(number);
    expect(last).toBeGreaterThan(number);
  });
});
