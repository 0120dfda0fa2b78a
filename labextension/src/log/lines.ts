/** The lines of a log that are here: pages of it, fetched as they come into sight and let go when far from it. */
import type { Line, Output, OutputEvent } from '../api/models';

/** Lines of one page, and of one request. */
export const PAGE_LINES = 500;
/** Pages that are kept. */
export const PAGES_KEPT = 60;

interface IPage {
  lines: (Line | undefined)[];
  /** Counts uses, for letting go of the page that was used longest ago. */
  used: number;
}

type News = Pick<Output | OutputEvent, 'first_line' | 'total' | 'settled' | 'from_line' | 'complete'> & { lines?: Line[] };

/** A log of any length, of which some is here. Asks nobody; says what is missing. */
export class Lines {
  /** Whether anything was heard of the log yet. */
  known = false;
  /** The first line that can be had. */
  first = 0;
  /** How many lines there are. */
  total = 0;
  /** Lines below it never change. */
  settled = 0;
  /** Whether the run has ended and nothing more comes. */
  complete = false;

  /** The line of this number, if it is here. */
  get(number: number): Line | undefined {
    const page = this.pages.get(Math.floor(number / PAGE_LINES));
    if (page) {
      page.used = ++this.clock;
    }
    return page?.lines[number % PAGE_LINES];
  }

  /** Takes an answer. Lines that it does not have stay as they are. */
  take(output: Output): void {
    this.note(output);
    this.put(output.from_line, output.lines);
  }

  /** Takes an event: what changed from `from_line` on is replaced, or has to be fetched anew. */
  hear(event: OutputEvent): void {
    this.forgetFrom(event.from_line);
    this.note(event);
    if (event.lines) {
      this.put(event.from_line, event.lines);
    }
  }

  /** The range of a request that brings what is missing of these lines, or null. */
  missing(from: number, to: number): [from: number, lines: number] | null {
    const low = Math.max(from, this.first);
    const high = Math.min(to, this.total);
    for (let number = low; number < high; number++) {
      if (this.get(number) === undefined) {
        const start = Math.max(this.first, number - (number % PAGE_LINES));
        const end = Math.min(this.total, number - (number % PAGE_LINES) + PAGE_LINES);
        // The page of the first missing line, from there where all before is here.
        const begin = this.has(start, number) ? number : start;
        return [begin, end - begin];
      }
    }
    return null;
  }

  /** Numbers of lines here that have the words, from `from` on and then from the start. */
  find(words: string, from: number, backward = false): number | null {
    const low = words.toLowerCase();
    const found: number[] = [];
    for (const [index, page] of this.pages) {
      page.lines.forEach((line, at) => {
        if (line?.text.toLowerCase().includes(low)) {
          found.push(index * PAGE_LINES + at);
        }
      });
    }
    found.sort((a, b) => a - b);
    if (found.length === 0) {
      return null;
    }
    if (backward) {
      return found.filter(number => number < from).pop() ?? found[found.length - 1];
    }
    return found.find(number => number > from) ?? found[0];
  }

  private has(from: number, to: number): boolean {
    for (let number = from; number < to; number++) {
      if (this.get(number) === undefined) {
        return false;
      }
    }
    return true;
  }

  private note(news: News): void {
    this.known = true;
    this.first = news.first_line;
    this.total = Math.max(news.total, 0);
    this.settled = news.settled;
    this.complete = news.complete;
  }

  private put(from: number, lines: readonly Line[]): void {
    lines.forEach((line, at) => {
      const number = from + at;
      const index = Math.floor(number / PAGE_LINES);
      let page = this.pages.get(index);
      if (!page) {
        page = { lines: new Array<Line | undefined>(PAGE_LINES).fill(undefined), used: 0 };
        this.pages.set(index, page);
      }
      page.used = ++this.clock;
      page.lines[number % PAGE_LINES] = line;
    });
    this.letGo();
  }

  private forgetFrom(from: number): void {
    for (const [index, page] of this.pages) {
      const start = index * PAGE_LINES;
      if (start >= from) {
        this.pages.delete(index);
      } else if (start + PAGE_LINES > from) {
        page.lines.fill(undefined, from - start);
      }
    }
  }

  private letGo(): void {
    while (this.pages.size > PAGES_KEPT) {
      let oldest: [number, IPage] | null = null;
      for (const entry of this.pages) {
        if (oldest === null || entry[1].used < oldest[1].used) {
          oldest = entry;
        }
      }
      this.pages.delete(oldest![0]);
    }
  }

  private readonly pages = new Map<number, IPage>();
  private clock = 0;
}
