/** The line above a log: following, search, how much there is, and why no more comes. */
import * as React from 'react';

import { useUi } from '../hooks';
import type { RunView } from './runView';

/** Follows the log's own state, at most a few times a second. */
export function LogTools({ view }: { view: RunView }): JSX.Element {
  const { trans } = useUi();
  const { log } = view;
  const [, redraw] = React.useReducer((count: number) => count + 1, 0);
  const [words, setWords] = React.useState('');
  const [none, setNone] = React.useState(false);
  React.useEffect(() => {
    let timer = 0;
    view.logChanged = () => {
      timer ||= window.setTimeout(() => {
        timer = 0;
        redraw();
      }, 150);
    };
    return () => {
      window.clearTimeout(timer);
      view.logChanged = null;
    };
  }, [view]);
  const find = (backward: boolean) => setNone(words !== '' && !log.find(words, backward));
  const { total } = log.lines;
  return (
    <>
      <div className="jr-Log-tools">
        <button className="jr-Button" aria-pressed={log.following} onClick={() => (log.following = !log.following)} title={trans.__('Stay at the end while more comes')}>
          {trans.__('Follow')}
        </button>
        <input
          type="search"
          className="jp-mod-styled"
          placeholder={trans.__('Find in what was read')}
          aria-label={trans.__('Find in what was read')}
          value={words}
          onChange={event => {
            setWords(event.target.value);
            setNone(false);
          }}
          onKeyDown={event => event.key === 'Enter' && find(event.shiftKey)}
        />
        <button className="jr-Button" disabled={!words} onClick={() => find(false)}>
          {trans.__('Next')}
        </button>
        <span role="status">{none ? trans.__('not found') : ''}</span>
        <span className="jr-Host-space" />
        <span className="jr-Log-count">{log.lines.known ? trans._n('%2 line', '%2 lines', total, total.toLocaleString()) : trans.__('Reading…')}</span>
      </div>
      {log.problem && (
        <div className="jr-Trouble" role="alert">
          {log.problem}
        </div>
      )}
    </>
  );
}
