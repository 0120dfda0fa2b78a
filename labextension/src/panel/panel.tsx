/** The panel of the left side bar. */
import { ReactWidget } from '@jupyterlab/apputils';
import { addIcon, refreshIcon } from '@jupyterlab/ui-components';
import { Message } from '@lumino/messaging';
import { Signal } from '@lumino/signaling';
import * as React from 'react';

import { CommandIDs } from '../commands/ids';
import { IUi, UiContext, useStore, useUi } from '../hooks';
import { remoteIcon } from '../icons';
import { HostRow } from './hostRow';
import { RunList } from './runList';
import { focus, treeKey } from './treeKeys';

/** Hosts above, runs below. */
export class RemotePanel extends ReactWidget {
  constructor(private readonly ui: IUi) {
    super();
    this.id = 'jupyter-remote-panel';
    this.addClass('jr-Panel');
    this.title.icon = remoteIcon;
    this.title.caption = ui.trans.__('Remote hosts and runs');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', ui.trans.__('Remote hosts and runs'));
  }

  /** Says whether the panel is in sight; out of it nothing is sampled. */
  readonly shown = new Signal<this, boolean>(this);

  protected onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.shown.emit(true);
  }

  protected onAfterHide(message: Message): void {
    super.onAfterHide(message);
    this.shown.emit(false);
  }

  protected render(): React.ReactElement {
    return (
      <UiContext.Provider value={this.ui}>
        <Content panel={this} />
      </UiContext.Provider>
    );
  }
}

function useShown(panel: RemotePanel): boolean {
  const [shown, setShown] = React.useState(panel.isVisible);
  React.useEffect(() => {
    const slot = (_: RemotePanel, value: boolean) => setShown(value);
    panel.shown.connect(slot);
    return () => void panel.shown.disconnect(slot);
  }, [panel]);
  return shown;
}

function Content({ panel }: { panel: RemotePanel }): JSX.Element {
  const { state, commands, trans } = useUi();
  const active = useShown(panel);
  const names = useStore('hosts', () => state.store.hostNames);
  return (
    <>
      <div className="jr-Panel-head">
        <h2>{trans.__('Hosts')}</h2>
        <span className="jr-Host-space" />
        <button className="jr-IconButton" aria-label={trans.__('Add a host')} title={trans.__('Add a host')} onClick={() => void commands.execute(CommandIDs.addHost)}>
          <addIcon.react tag="span" />
        </button>
        <button className="jr-IconButton" aria-label={trans.__('Refresh')} title={trans.__('Refresh')} onClick={() => void commands.execute(CommandIDs.refresh)}>
          <refreshIcon.react tag="span" />
        </button>
      </div>
      <Trouble />
      <div className="jr-Panel-hosts">
        <HostTree names={names} active={active} />
        {names.every(name => state.store.host(name)?.kind === 'local') && <Welcome />}
      </div>
      <div className="jr-Panel-head jr-Panel-runs">
        <h2>{trans.__('Runs')}</h2>
      </div>
      <RunList />
    </>
  );
}

/** What is wrong with the server, the configuration or the link between page and server. */
function Trouble(): JSX.Element | null {
  const { state, trans } = useUi();
  const problem = useStore('problem', () => state.store.problem);
  const [connection, setConnection] = React.useState(state.connection);
  React.useEffect(() => {
    const slot = () => setConnection(state.connection);
    state.socket.stateChanged.connect(slot);
    return () => void state.socket.stateChanged.disconnect(slot);
  }, [state]);
  if (problem) {
    return (
      <div className="jr-Trouble" role="alert">
        {problem.message} {problem.hint && <span className="jr-Host-hint">{problem.hint}</span>}
      </div>
    );
  }
  if (connection === 'waiting') {
    return (
      <div className="jr-Trouble" role="status">
        {trans.__('The Jupyter server does not answer; trying again. Runs go on meanwhile.')}
      </div>
    );
  }
  return null;
}

/** What to do when there is no host but this machine. */
function Welcome(): JSX.Element {
  const { commands, trans } = useUi();
  return (
    <div className="jr-Welcome">
      <p>{trans.__('Run cells of a notebook on another machine, as if they ran here. What it takes is an SSH login; nothing has to be installed there.')}</p>
      <ol>
        <li>
          {trans.__('Add the machine:')}
          <button className="jr-Button jr-mod-accept" onClick={() => void commands.execute(CommandIDs.addHost)}>
            {trans.__('Add a host…')}
          </button>
        </li>
        <li>
          {trans.__('In a notebook:')} <code>%load_ext jupyter_remote</code>
        </li>
        <li>
          {trans.__('On a cell:')} <code>%%remote NAME</code>
        </li>
      </ol>
      <p>
        {trans.__('To try it without another machine, take the host “local”: ')}
        <code>%%remote local</code>
      </p>
    </div>
  );
}

function HostTree({ names, active }: { names: readonly string[]; active: boolean }): JSX.Element | null {
  const { state, commands, trans } = useUi();
  const [closed, setClosed] = React.useState<ReadonlySet<string>>(new Set());
  const toggle = React.useCallback((name: string, open: boolean) => {
    setClosed(before => {
      const now = new Set(before);
      if (open) {
        now.delete(name);
      } else {
        now.add(name);
      }
      return now;
    });
  }, []);
  if (names.length === 0) {
    return null;
  }
  const activate = (id: string) => {
    const [kind, name] = [id.slice(0, id.indexOf(':')), id.slice(id.indexOf(':') + 1)];
    if (kind === 'run') {
      void commands.execute(CommandIDs.openRun, { run: name });
    } else if (kind === 'host') {
      toggle(name, closed.has(name));
    }
  };
  return (
    <ul
      role="tree"
      className="jr-Hosts"
      aria-label={trans.__('Hosts')}
      onKeyDown={event => {
        if (treeKey(event.currentTarget, event.nativeEvent, { expand: (id, open) => toggle(id.slice('host:'.length), open), activate })) {
          event.preventDefault();
          event.stopPropagation();
        }
      }}
      onMouseDown={event => {
        const item = (event.target as HTMLElement).closest<HTMLElement>('[role=treeitem]');
        if (item && !(event.target as HTMLElement).closest('button')) {
          focus(event.currentTarget.querySelectorAll<HTMLElement>('[role=treeitem]'), item);
          event.preventDefault();
        }
      }}
    >
      {names.map((name, index) => (
        <HostRow key={name} name={name} first={index === 0} active={active} open={!closed.has(name) && state.store.host(name) !== undefined} toggle={toggle} />
      ))}
    </ul>
  );
}
