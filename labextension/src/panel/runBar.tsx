/** What can be done with the runs that are chosen: how many there are, and a button for each command. */
import * as React from 'react';

import { CommandIDs } from '../commands/ids';
import { useUi } from '../hooks';

const COMMANDS = [
  CommandIDs.compare,
  CommandIDs.run('stop'),
  CommandIDs.run('pull'),
  CommandIDs.labelRun,
  CommandIDs.run('delete'),
  CommandIDs.run('restore'),
  CommandIDs.run('purge')
];

/**
 * @param props.runs ids of those that are chosen.
 * @param props.clear chooses none.
 * @param props.list gets the focus when the button that had it has gone.
 */
export function RunBar(props: { runs: string[]; clear(): void; list: React.RefObject<HTMLElement> }): JSX.Element | null {
  const { commands, trans } = useUi();
  const { runs } = props;
  if (runs.length === 0) {
    return null;
  }
  const args = runs.length === 1 ? { run: runs[0], runs } : { runs };
  const refocus = () => requestAnimationFrame(() => document.activeElement === document.body && props.list.current?.focus());
  return (
    <div className="jr-Runs-bar" role="toolbar" aria-label={trans.__('Chosen runs')}>
      <span className="jr-Runs-chosen" role="status">
        {trans._n('%1 chosen', '%1 chosen', runs.length)}
      </span>
      <button
        className="jr-IconButton"
        aria-label={trans.__('Choose none')}
        title={trans.__('Choose none')}
        onClick={() => {
          props.clear();
          props.list.current?.focus();
        }}
      >
        ✕
      </button>
      {COMMANDS.filter(id => commands.isVisible(id, args) && commands.isEnabled(id, args)).map(id => (
        <button key={id} className="jr-Button" title={commands.caption(id, args)} onClick={() => void commands.execute(id, args).then(refocus)}>
          {commands.label(id, args)}
        </button>
      ))}
    </div>
  );
}
