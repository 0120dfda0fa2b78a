/** A host in the tree: its state and gauges, its sessions, its newest runs, and what goes on with it. */
import { caretDownIcon, caretRightIcon, ellipsesIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Host, Operation, Run, Session } from '../api/models';
import { ONGOING } from '../api/models';
import { CommandIDs } from '../commands/ids';
import { useNow, useStore, useUi } from '../hooks';
import { duration, elapsed, hostStateWord, metricWords, runTitle, STATE_SIGN, stateWord } from '../words';
import { Gauges } from './gauges';
import { useNear } from './near';
import { openHostMenu, openRunMenu, openSessionMenu, placeOf } from './menus';

/** Of a host's runs, so many are in the tree; all are in the list below. */
const RUNS_SHOWN = 5;

/** A host and what is in it. */
export const HostRow = React.memo(function HostRow(props: {
  name: string;
  first: boolean;
  open: boolean;
  active: boolean;
  toggle(name: string, open: boolean): void;
}): JSX.Element | null {
  const { name, active, open } = props;
  const { state, commands, trans } = useUi();
  const host = useStore(`host:${name}`, () => state.store.host(name));
  const item = React.useRef<HTMLLIElement>(null);
  const { near, height } = useNear(item);
  const sampled = active && near && host?.state === 'connected';
  React.useEffect(() => (sampled ? state.topics.need(`samples:${name}`) : undefined), [state, name, sampled]);
  if (!host) {
    return null;
  }
  const word = hostStateWord(host.state, trans);
  const menu = (event: React.MouseEvent) => {
    event.preventDefault();
    event.stopPropagation();
    openHostMenu(commands, name, placeOf(event));
  };
  return (
    <li
      ref={item}
      role="treeitem"
      data-id={`host:${name}`}
      aria-expanded={open}
      aria-label={[name, word, ...host.groups].join(', ')}
      tabIndex={props.first ? 0 : -1}
      className={`jr-Host jr-mod-${host.state}`}
      style={near ? undefined : { minHeight: height }}
      onContextMenu={menu}
    >
      <div className="jr-Host-head">
        <span className="jr-Host-toggle" aria-hidden="true" onClick={() => props.toggle(name, !open)}>
          {open ? <caretDownIcon.react tag="span" /> : <caretRightIcon.react tag="span" />}
        </span>
        <span className="jr-Host-dot" aria-hidden="true" title={word} />
        <span className="jr-Host-name" onClick={() => props.toggle(name, !open)} title={host.address}>
          {name}
        </span>
        {host.groups.map(group => (
          <span className="jr-Chip" key={group} title={trans.__('%%%%remote @%1 runs a cell on all hosts of the group', group)}>
            @{group}
          </span>
        ))}
        {host.runs > 0 && (
          <span className="jr-Chip jr-mod-runs" title={trans._n('%1 run goes on', '%1 runs go on', host.runs)}>
            ▶ {host.runs}
          </span>
        )}
        <span className="jr-Host-space" />
        <MainButton host={host} />
        <button className="jr-IconButton" aria-label={trans.__('Actions of %1', name)} aria-haspopup="menu" tabIndex={-1} onClick={menu}>
          <ellipsesIcon.react tag="span" />
        </button>
      </div>
      <HostNews host={host} word={word} />
      {open && near && (
        <>
          <Gauges host={name} />
          <ul role="group" className="jr-Host-inside" aria-label={trans.__('Sessions and runs of %1', name)}>
            {host.sessions.map(session => (
              <SessionRow key={session.name} session={session} />
            ))}
            <RunsOfHost host={name} />
          </ul>
        </>
      )}
    </li>
  );
});

/** The one thing that is most likely wanted now. */
function MainButton({ host }: { host: Host }): JSX.Element | null {
  const { commands, trans } = useUi();
  if (host.state === 'connected') {
    return null;
  }
  const action = host.can_start && host.state === 'down' ? 'start' : 'connect';
  return (
    <button
      className="jr-Button"
      tabIndex={-1}
      disabled={host.state === 'connecting'}
      aria-label={action === 'start' ? trans.__('Switch on %1', host.name) : trans.__('Connect to %1', host.name)}
      onClick={() => void commands.execute(CommandIDs.host(action), { host: host.name })}
    >
      {action === 'start' ? trans.__('Switch on') : trans.__('Connect')}
    </button>
  );
}

/** What goes on with the host, or why it is down. */
function HostNews({ host, word }: { host: Host; word: string }): JSX.Element {
  const { state, trans } = useUi();
  const operation = useStore('operations', () => state.store.operations.find(one => one.host === host.name && one.state === 'running' && !one.run));
  if (operation) {
    return <Progress operation={operation} />;
  }
  if (host.state === 'down' && host.reason) {
    return (
      <div className="jr-Host-reason">
        {host.reason.message} {host.reason.hint && <span className="jr-Host-hint">{host.reason.hint}</span>}
      </div>
    );
  }
  return <div className="jr-Host-about">{host.kind === 'local' ? trans.__('this machine') : `${host.address} · ${word}`}</div>;
}

function Progress({ operation }: { operation: Operation }): JSX.Element {
  const { state, trans } = useUi();
  return (
    <div className="jr-Host-progress">
      <span className="jr-Host-progressText">{operation.text || `${operation.action} …`}</span>
      <progress aria-label={operation.action} max={1} value={operation.fraction ?? undefined} />
      <button className="jr-Button" tabIndex={-1} onClick={() => void state.client.cancelOperation(operation.id).catch(() => undefined)}>
        {trans.__('Cancel')}
      </button>
    </div>
  );
}

function SessionRow({ session }: { session: Session }): JSX.Element {
  const { commands, trans } = useUi();
  const word = session.waiting
    ? trans.__('waits in a queue')
    : session.silent
      ? trans.__('does not answer')
      : session.active
        ? trans.__('busy')
        : session.idle_seconds === null
          ? trans.__('idle')
          : trans.__('idle for %1', duration(session.idle_seconds));
  const more = [session.queued > 0 ? trans.__('%1 wait', session.queued) : '', session.gpus.length ? `GPU ${session.gpus.join(', ')}` : ''];
  const menu = (event: React.MouseEvent) => {
    event.preventDefault();
    event.stopPropagation();
    openSessionMenu(commands, session.host, session.name, placeOf(event));
  };
  return (
    <li role="treeitem" tabIndex={-1} data-id={`session:${session.host}:${session.name}`} className="jr-Item" onContextMenu={menu} title={session.python ?? ''}>
      <span className="jr-Item-sign" aria-hidden="true">
        {session.active ? '●' : '○'}
      </span>
      <span className="jr-Item-title">{trans.__('session %1', session.name)}</span>
      <span className="jr-Item-more">{[word, ...more.filter(Boolean)].join(' · ')}</span>
    </li>
  );
}

function RunsOfHost({ host }: { host: string }): JSX.Element {
  const { state } = useUi();
  useStore('runs', () => state.store.runIds);
  const shown: Run[] = [];
  for (const id of state.store.runIds) {
    const run = state.store.run(id)!;
    if (run.host === host && !run.deleted) {
      shown.push(run);
      if (shown.length === RUNS_SHOWN) {
        break;
      }
    }
  }
  return (
    <>
      {shown.map(run => (
        <RunItem key={run.id} id={run.id} />
      ))}
    </>
  );
}

function RunItem({ id }: { id: string }): JSX.Element | null {
  const { state, commands, trans } = useUi();
  const run = useStore(`run:${id}`, () => state.store.run(id));
  const now = useNow(run !== undefined && ONGOING.has(run.state));
  if (!run) {
    return null;
  }
  const took = elapsed(run, now);
  return (
    <li
      role="treeitem"
      tabIndex={-1}
      data-id={`run:${id}`}
      aria-label={`${runTitle(run)}, ${stateWord(run.state, trans)}`}
      className={`jr-Item jr-mod-${run.state}`}
      onDoubleClick={() => void commands.execute(CommandIDs.openRun, { run: id })}
      onContextMenu={event => {
        event.preventDefault();
        event.stopPropagation();
        openRunMenu(commands, [id], placeOf(event));
      }}
    >
      <span className="jr-Item-sign" aria-hidden="true">
        {STATE_SIGN[run.state]}
      </span>
      <span className="jr-Item-title">{runTitle(run)}</span>
      <span className="jr-Item-more">{[took === null ? '' : duration(took), metricWords(run, 1)].filter(Boolean).join(' · ')}</span>
    </li>
  );
}
