/** The live log of a run: only the lines in sight are in the page, whatever its length. */
import { TranslationBundle } from '@jupyterlab/translation';
import { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';

import type { OutputEvent } from '../api/models';
import type { RemoteState } from '../state/remote';
import { boxHeight, scrollTo, visible } from '../viewport';
import { Lines, PAGE_LINES } from './lines';
import { Rows } from './rows';

/** As in the style sheet. */
const LINE_PX = 16;

export interface ILogOptions {
  state: RemoteState;
  run: string;
  trans: TranslationBundle;
  /** Opens what the run drew. */
  show(display: number): void;
  /** After each change of what is known: for counts and problems. */
  changed(): void;
}

/** Shows a log; follows its end while `following`. */
export class LogView extends Widget {
  constructor(private readonly options: ILogOptions) {
    super();
    this.addClass('jr-Log');
    this.node.tabIndex = 0;
    this.node.setAttribute('role', 'log');
    // A screen reader that read each of a thousand lines a second would help nobody.
    this.node.setAttribute('aria-live', 'off');
    this.node.setAttribute('aria-label', options.trans.__('Output of the run'));
    this.box.className = 'jr-Log-box';
    this.rows = new Rows(options.show);
    this.box.append(this.rows.node);
    this.node.append(this.box);
  }

  readonly lines = new Lines();

  /** Why no more comes, or why it could not be read. */
  problem: string | null = null;

  get following(): boolean {
    return this._following;
  }

  set following(value: boolean) {
    this._following = value;
    if (value) {
      this.look();
    }
    this.options.changed();
  }

  /** Goes to the next line here that has the words; false when there is none. */
  find(words: string, backward: boolean): boolean {
    const number = words === '' ? null : this.lines.find(words, this.found ?? this.lines.first - 1, backward);
    this.found = number;
    if (number !== null) {
      this._following = false;
      this.goto(number);
    }
    this.look();
    this.options.changed();
    return number !== null;
  }

  /** Shows a line in the middle of the sight. */
  goto(number: number): void {
    const above = Math.floor(this.node.clientHeight / LINE_PX / 2);
    const row = Math.max(0, number - this.lines.first - above);
    this.node.scrollTop = scrollTo(row, this.node.clientHeight, LINE_PX, this.count);
  }

  protected onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    const { state, run } = this.options;
    this.node.addEventListener('scroll', this.scrolled, { passive: true });
    this.observer.observe(this.node);
    state.output.connect(this.hear, this);
    this.ends.push(state.topics.need(`output:${run}`, () => this.lines.settled));
    void this.fetch(-PAGE_LINES, PAGE_LINES);
  }

  protected onBeforeDetach(message: Message): void {
    super.onBeforeDetach(message);
    this.node.removeEventListener('scroll', this.scrolled);
    this.observer.disconnect();
    this.options.state.output.disconnect(this.hear, this);
    this.ends.splice(0).forEach(end => end());
  }

  private get count(): number {
    return this.lines.total - this.lines.first;
  }

  private hear(_: unknown, event: OutputEvent): void {
    if (event.run === this.options.run) {
      this.lines.hear(event);
      this.problem = event.problem ? `${event.problem.message} ${event.problem.hint}` : null;
      this.options.changed();
      this.look();
    }
  }

  /** Draws in the next frame, however often it is asked for. */
  private look(): void {
    if (!this.frame) {
      this.frame = requestAnimationFrame(() => {
        this.frame = 0;
        this.draw();
      });
    }
  }

  private draw(): void {
    if (!this.isAttached) {
      return;
    }
    const { node, lines, count } = this;
    const height = node.clientHeight;
    this.box.style.height = `${boxHeight(count, LINE_PX)}px`;
    if (this._following) {
      node.scrollTop = node.scrollHeight;
      this.placed = node.scrollTop;
    }
    const { first, last, offset } = visible(node.scrollTop, height, LINE_PX, count);
    this.rows.node.style.transform = `translateY(${Math.max(0, offset)}px)`;
    this.rows.fill(lines.first + first, last - first, number => lines.get(number), this.found);
    const missing = lines.missing(lines.first + first, lines.first + last);
    if (missing && !this.fetching) {
      void this.fetch(...missing);
    }
  }

  /** Reads some lines; what is missing after that is read by the next drawing. */
  private async fetch(from: number, count: number): Promise<void> {
    this.fetching = true;
    try {
      const output = await this.options.state.client.output(this.options.run, from, count);
      this.lines.take(output);
      this.problem = output.problem ? `${output.problem.message} ${output.problem.hint}` : null;
      this.look();
    } catch (error) {
      this.problem = error instanceof Error ? error.message : String(error);
    } finally {
      this.fetching = false;
      this.options.changed();
    }
  }

  /** A user who moves away from the end stops following; back to it goes on. */
  private scrolled = (): void => {
    const { node } = this;
    if (Math.abs(node.scrollTop - this.placed) > 1) {
      this.placed = -2;
      const atEnd = node.scrollTop + node.clientHeight >= node.scrollHeight - LINE_PX;
      if (atEnd !== this._following) {
        this.following = atEnd;
      }
    }
    this.look();
  };

  private readonly box = document.createElement('div');
  private readonly rows: Rows;
  private readonly observer = new ResizeObserver(() => this.look());
  private readonly ends: (() => void)[] = [];
  private frame = 0;
  private fetching = false;
  private found: number | null = null;
  /** Where we have scrolled to ourselves. */
  private placed = 0;
  private _following = true;
}
