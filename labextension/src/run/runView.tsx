/** The main-area view of one run: head, log, metrics, artifacts, code. */
import { ReactWidget } from '@jupyterlab/apputils';
import { Message, MessageLoop } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';
import * as React from 'react';

import { tellError } from '../commands/report';
import { IUi, UiContext, useUi } from '../hooks';
import { remoteIcon } from '../icons';
import { LogView } from '../log/logView';
import { runTitle } from '../words';
import { ArtifactsPage } from './artifacts';
import { showDisplay } from './display';
import { Header, Tab } from './header';
import { LogTools } from './logTools';
import { MetricsPage } from './metrics';

/** Everything about a run. */
export class RunView extends ReactWidget {
  constructor(
    readonly ui: IUi,
    readonly run: string
  ) {
    super();
    this.id = `jupyter-remote-run-${run}`;
    this.addClass('jr-Run');
    this.title.icon = remoteIcon;
    this.title.closable = true;
    this.log = new LogView({
      state: ui.state,
      run,
      trans: ui.trans,
      show: number => void showDisplay(ui, run, number),
      changed: () => this.logChanged?.()
    });
    this.end = ui.state.store.on(`run:${run}`, () => this.name());
    this.name();
    if (!ui.state.store.run(run)) {
      // A run of before the ones that were read.
      ui.state.client.run(run).then(known => ui.state.store.addRuns({ runs: [known], next: null }, false), tellError);
    }
  }

  readonly log: LogView;

  /** Set by the tools of the log. */
  logChanged: (() => void) | null = null;

  dispose(): void {
    this.end();
    this.log.dispose();
    super.dispose();
  }

  protected render(): React.ReactElement {
    return (
      <UiContext.Provider value={this.ui}>
        <Content view={this} />
      </UiContext.Provider>
    );
  }

  protected onResize(message: Widget.ResizeMessage): void {
    super.onResize(message);
    MessageLoop.sendMessage(this.log, Widget.ResizeMessage.UnknownSize);
  }

  protected onActivateRequest(message: Message): void {
    super.onActivateRequest(message);
    this.node.querySelector<HTMLElement>('[role=tab][tabindex="0"]')?.focus();
  }

  private name(): void {
    const run = this.ui.state.store.run(this.run);
    const title = run ? runTitle(run) : this.run;
    this.title.label = title.length > 30 ? `${title.slice(0, 29)}…` : title;
    this.title.caption = run ? `${this.run} · ${run.host}` : this.run;
  }

  private readonly end: () => void;
}

function Content({ view }: { view: RunView }): JSX.Element {
  const [tab, setTab] = React.useState<Tab>('log');
  const page = (name: Tab, content: React.ReactNode, className = '') => (
    <div
      role="tabpanel"
      id={`jr-page-${view.run}-${name}`}
      aria-labelledby={`jr-tab-${view.run}-${name}`}
      className={`jr-Run-page ${className}`}
      hidden={tab !== name}
      tabIndex={name === 'log' ? -1 : 0}
    >
      {content}
    </div>
  );
  return (
    <>
      <Header run={view.run} tab={tab} choose={setTab} />
      <div className="jr-Run-body">
        {page(
          'log',
          <>
            <LogTools view={view} />
            <LogHost log={view.log} />
          </>,
          'jr-LogPage'
        )}
        {page('metrics', <MetricsPage run={view.run} active={tab === 'metrics'} />)}
        {page('artifacts', <ArtifactsPage run={view.run} active={tab === 'artifacts'} />)}
        {page('code', <CodePage run={view.run} active={tab === 'code'} />)}
      </div>
    </>
  );
}

/** The place of the log, which is no React component: it draws a thousand times as often. */
const LogHost = React.memo(function LogHost({ log }: { log: LogView }): JSX.Element {
  const place = React.useRef<HTMLDivElement>(null);
  React.useEffect(() => {
    Widget.attach(log, place.current!);
    return () => {
      if (log.isAttached) {
        Widget.detach(log);
      }
    };
  }, [log]);
  return <div ref={place} className="jr-LogHost" />;
});

function CodePage({ run, active }: { run: string; active: boolean }): JSX.Element {
  const { state, trans } = useUi();
  const [code, setCode] = React.useState<string | null>(null);
  React.useEffect(() => {
    if (active) {
      state.client.run(run).then(known => setCode(known.code ?? known.command ?? ''), tellError);
    }
  }, [state, run, active]);
  return code === null ? <p>{trans.__('Reading…')}</p> : <pre className="jr-Code">{code}</pre>;
}
