/** The rows of a log in the page: those that stay in sight keep their nodes, the others are filled anew. */
import type { Line } from '../api/models';
import { fillRow } from './row';

interface IRow {
  node: HTMLElement;
  /** What it shows; a row that was never filled shows nothing known. */
  line: Line | undefined | null;
  found: boolean;
}

/** A window of rows that moves along the log. */
export class Rows {
  /**
   * @param show opens a display that stands in a line.
   */
  constructor(private readonly show: (display: number) => void) {
    this.node.className = 'jr-Log-rows';
  }

  readonly node = document.createElement('div');

  /**
   * Shows lines.
   *
   * @param first the number of the first line.
   * @param count how many.
   * @param get gives a line by its number, or undefined while it is fetched.
   * @param found the number of the line to be marked.
   */
  fill(first: number, count: number, get: (number: number) => Line | undefined, found: number | null): void {
    this.turn(first - this.first);
    this.first = first;
    this.resize(count);
    let longest = this.longest;
    this.rows.forEach((row, i) => {
      const line = get(first + i);
      if (row.line !== line) {
        fillRow(row.node, line, this.show);
        row.line = line;
        row.found = false;
        longest = Math.max(longest, row.node.textContent!.length);
      }
      if (row.found !== (first + i === found)) {
        row.found = !row.found;
        row.node.classList.toggle('jr-mod-found', row.found);
      }
    });
    if (longest > this.longest) {
      // Said here, so that the browser needn't measure each line; and it never shrinks, so that nothing jumps.
      this.longest = longest;
      this.node.style.width = `max(100%, ${longest + PADDING_CH}ch)`;
    }
  }

  /** Moves the rows that are out of sight to the other end, in the page's order too: it is what is selected and read. */
  private turn(by: number): void {
    if (by === 0 || Math.abs(by) >= this.rows.length) {
      return;
    }
    const moved = by > 0 ? this.rows.splice(0, by) : this.rows.splice(by);
    const nodes = moved.map(row => row.node);
    if (by > 0) {
      this.rows.push(...moved);
      this.node.append(...nodes);
    } else {
      this.rows.unshift(...moved);
      this.node.prepend(...nodes);
    }
  }

  private resize(count: number): void {
    while (this.rows.length < count) {
      const row: IRow = { node: document.createElement('div'), line: null, found: false };
      this.rows.push(row);
      this.node.append(row.node);
    }
    for (const row of this.rows.splice(count)) {
      row.node.remove();
    }
  }

  private readonly rows: IRow[] = [];
  private first = 0;
  private longest = 0;
}

/** Room at both ends of a line, as in the style sheet. */
const PADDING_CH = 4;
