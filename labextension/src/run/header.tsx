/** The head of a run view: what it is, how it stands, what can be done, and the tabs. */
import * as React from 'react';

import type { Run } from '../api/models';
import { ONGOING } from '../api/models';
import { CommandIDs } from '../commands/ids';
import { useNow, useStore, useUi } from '../hooks';
import { bytes, duration, elapsed, moment, runTitle, STATE_SIGN, stateWord } from '../words';

export type Tab = 'log' | 'metrics' | 'artifacts' | 'code';

const ACTIONS = ['interrupt', 'stop', 'pull', 'rerun', 'delete', 'restore', 'purge'] as const;

/** The head; `problem` is the log's. */
export function Header(props: { run: string; tab: Tab; choose(tab: Tab): void }): JSX.Element {
  const { state, commands, trans } = useUi();
  const run = useStore(`run:${props.run}`, () => state.store.run(props.run));
  return (
    <div className="jr-Run-head">
      {run ? (
        <>
          <div className="jr-Run-line">
            <h2 title={runTitle(run)}>{runTitle(run)}</h2>
            <span className={`jr-State jr-mod-${run.state}`} role="status">
              {STATE_SIGN[run.state]} {stateWord(run.state, trans)}
            </span>
            {ACTIONS.map(action => {
              const id = CommandIDs.run(action);
              const args = { run: run.id };
              return commands.isVisible(id, args) ? (
                <button
                  key={action}
                  className={`jr-Button${action === 'stop' || action === 'purge' ? ' jr-mod-warn' : ''}`}
                  title={commands.caption(id, args)}
                  onClick={() => void commands.execute(id, args)}
                >
                  {commands.label(id, args)}
                </button>
              ) : null;
            })}
          </div>
          <About run={run} />
        </>
      ) : (
        <h2>{props.run}</h2>
      )}
      <Tabs run={props.run} tab={props.tab} choose={props.choose} />
    </div>
  );
}

function About({ run }: { run: Run }): JSX.Element {
  const { trans } = useUi();
  const now = useNow(ONGOING.has(run.state));
  const took = elapsed(run, now);
  const words = [
    trans.__('on %1', run.host),
    run.id,
    moment(run.created),
    took === null ? '' : duration(took),
    run.exit_code === null ? '' : trans.__('exit code %1', run.exit_code),
    run.notebook ?? '',
    run.session ? trans.__('session %1', run.session) : '',
    run.campaign ? trans.__('campaign %1', run.campaign) : '',
    run.git_commit ? `git ${run.git_commit.slice(0, 9)}${run.git_dirty ? '+' : ''}` : '',
    run.peak_memory ? trans.__('%1 memory', bytes(run.peak_memory)) : '',
    run.gpu_memory ? trans.__('%1 GPU memory', bytes(run.gpu_memory)) : ''
  ];
  return (
    <>
      <div className="jr-Run-about">{words.filter(Boolean).join(' · ')}</div>
      {run.reason && <div className="jr-Run-problem">{run.reason}</div>}
    </>
  );
}

function Tabs(props: { run: string; tab: Tab; choose(tab: Tab): void }): JSX.Element {
  const { trans } = useUi();
  const tabs: [Tab, string][] = [
    ['log', trans.__('Log')],
    ['metrics', trans.__('Metrics')],
    ['artifacts', trans.__('Artifacts')],
    ['code', trans.__('Code')]
  ];
  const at = tabs.findIndex(([tab]) => tab === props.tab);
  return (
    <div
      role="tablist"
      className="jr-Tabs"
      aria-label={trans.__('About the run')}
      onKeyDown={event => {
        const move = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (move) {
          const [next] = tabs[(at + move + tabs.length) % tabs.length];
          props.choose(next);
          event.currentTarget.querySelector<HTMLElement>(`[data-tab=${next}]`)?.focus();
          event.preventDefault();
        }
      }}
    >
      {tabs.map(([tab, label]) => (
        <button
          key={tab}
          role="tab"
          data-tab={tab}
          id={`jr-tab-${props.run}-${tab}`}
          aria-controls={`jr-page-${props.run}-${tab}`}
          aria-selected={tab === props.tab}
          tabIndex={tab === props.tab ? 0 : -1}
          className="jr-Tab"
          onClick={() => props.choose(tab)}
        >
          {label}
        </button>
      ))}
    </div>
  );
}
