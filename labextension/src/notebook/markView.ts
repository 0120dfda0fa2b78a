/** The line below a cell's text that says where it ran; a widget, and what it shows. */
import { TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';

import { ONGOING } from '../api/models';
import { STATE_SIGN, stateWord } from '../words';
import type { IMark } from './marks';

/** What can be done with a mark. */
export interface IMarkActions {
  /** Shows the run. */
  open(mark: IMark): void;
  /** Shows the run's output in the cell. */
  attach(mark: IMark): void;
  /** Whether a run has printed more than its cell shows, or may. */
  canAttach(mark: IMark): boolean;
}

/** Marks of one cell, each a button that opens its run, and one to attach where that makes sense. */
export class MarkView extends Widget {
  constructor(
    private readonly trans: TranslationBundle,
    private readonly actions: IMarkActions
  ) {
    super();
    this.addClass('jr-CellMarks');
    this.node.setAttribute('role', 'group');
    this.node.setAttribute('aria-label', trans.__('Where this cell ran'));
  }

  /** Shows these instead of those before. */
  showMarks(marks: readonly IMark[]): void {
    const shown = JSON.stringify(marks.map(mark => [mark, this.actions.canAttach(mark)]));
    if (shown === this.shown) {
      return;
    }
    this.shown = shown;
    const focused = (document.activeElement as HTMLElement | null)?.dataset.jrMark;
    this.node.replaceChildren(...marks.flatMap(mark => this.nodes(mark)));
    if (focused) {
      this.node.querySelector<HTMLElement>(`[data-jr-mark="${focused}"]`)?.focus();
    }
  }

  private nodes(mark: IMark): Node[] {
    const state = stateWord(mark.state, this.trans);
    const open = button('jr-CellMark', `open:${mark.run}`, () => this.actions.open(mark));
    open.dataset.state = mark.state;
    const dot = document.createElement('span');
    dot.className = 'jr-CellMark-state';
    dot.textContent = STATE_SIGN[mark.state];
    dot.setAttribute('aria-hidden', 'true');
    const host = document.createElement('b');
    host.textContent = mark.host;
    open.append(dot, host, ` · ${this.trans.__('run')} ${mark.run} · ${state}`);
    open.title = this.trans.__('Open this run');
    open.setAttribute('aria-label', this.trans.__('Ran on %1, run %2, %3. Open this run', mark.host, mark.run, state));
    if (!this.actions.canAttach(mark)) {
      return [open];
    }
    const attach = button('jr-CellMark-attach', `attach:${mark.run}`, () => this.actions.attach(mark));
    const goesOn = isOngoing(mark);
    attach.textContent = goesOn ? this.trans.__('Attach') : this.trans.__('Show its output');
    attach.title = goesOn
      ? this.trans.__('Show in this cell what the run has printed, and what it prints from now on')
      : this.trans.__('Show in this cell all that the run has printed');
    attach.setAttribute('aria-label', `${attach.textContent}: ${this.trans.__('run %1 on %2', mark.run, mark.host)}`);
    return [open, attach];
  }

  private shown = '';
}

/** Whether a run may still print something. */
export function isOngoing(mark: IMark): boolean {
  return ONGOING.has(mark.state);
}

function button(kind: string, key: string, pressed: () => void): HTMLButtonElement {
  const node = document.createElement('button');
  node.type = 'button';
  node.className = kind;
  node.dataset.jrMark = key;
  node.addEventListener('click', event => {
    event.stopPropagation();
    pressed();
  });
  // A click must not move the notebook's focus into the cell's editor first.
  node.addEventListener('mousedown', event => event.stopPropagation());
  return node;
}
