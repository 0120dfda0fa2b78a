import { nullTranslator } from '@jupyterlab/translation';

import { IMark } from '../notebook/marks';
import { MarkView } from '../notebook/markView';

const MARK: IMark = { host: '<b>', run: '20261122-014500-7f3a', state: 'running' };

describe('the marks below a cell', () => {
  const opened: string[] = [];
  const attached: string[] = [];
  let may = true;
  const view = new MarkView(nullTranslator.load(''), {
    open: mark => opened.push(mark.run),
    attach: mark => attached.push(mark.run),
    canAttach: () => may
  });
  document.body.append(view.node);

  it('say host, run and state, as text', () => {
    view.showMarks([MARK]);
    const [open, attach] = view.node.querySelectorAll('button');
    expect(open.textContent).toContain('<b> · run 20261122-014500-7f3a · running');
    expect(open.getAttribute('aria-label')).toBe('Ran on <b>, run 20261122-014500-7f3a, running. Open this run');
    expect(attach.textContent).toBe('Attach');
    open.click();
    attach.click();
    expect([opened, attached]).toEqual([[MARK.run], [MARK.run]]);
  });

  it('keep the focus when they change', () => {
    view.node.querySelector('button')!.focus();
    may = false;
    view.showMarks([{ ...MARK, state: 'finished' }]);
    expect(view.node.querySelectorAll('button')).toHaveLength(1);
    expect(document.activeElement).toBe(view.node.querySelector('button'));
  });

  it('offer the whole output of a run that ended unseen', () => {
    may = true;
    view.showMarks([{ ...MARK, state: 'failed' }]);
    expect(view.node.querySelectorAll('button')[1].textContent).toBe('Show its output');
  });
});
