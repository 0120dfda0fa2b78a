/** The item of the status bar: runs that go on, hosts that are down. */
import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ReactWidget } from '@jupyterlab/apputils';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator, TranslationBundle } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import { ISignal, Signal } from '@lumino/signaling';
import { UseSignal } from '@jupyterlab/ui-components';
import * as React from 'react';

import { CommandIDs } from '../commands/ids';
import { remoteIcon } from '../icons';
import type { RemoteState } from '../state/remote';
import { IRemoteState } from '../tokens';
import { counts, countWords, ICounts } from './counts';

/** Keeps the counts, and tells when they are others. */
class Counter {
  constructor(private readonly state: RemoteState) {
    const { store } = state;
    store.on('runs', () => this.count());
    store.on('hosts', () => this.watch());
    state.availableChanged.connect(() => this.count());
    this.watch();
  }

  counts: ICounts = { runs: 0, down: [] };

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  private watch(): void {
    this.ends.forEach(end => end());
    this.ends = this.state.store.hostNames.map(name => this.state.store.on(`host:${name}`, () => this.count()));
    this.count();
  }

  private count(): void {
    const now = counts(this.state.store);
    if (now.runs !== this.counts.runs || now.down.join() !== this.counts.down.join()) {
      this.counts = now;
      this._changed.emit();
    }
  }

  private ends: (() => void)[] = [];
  private readonly _changed = new Signal<this, void>(this);
}

function Item(props: { counter: Counter; commands: CommandRegistry; trans: TranslationBundle }): React.ReactElement {
  const { counter, commands, trans } = props;
  return (
    <UseSignal signal={counter.changed}>
      {() => {
        const words = countWords(counter.counts, trans);
        const title = counter.counts.down.length > 0 ? trans.__('Down: %1', counter.counts.down.join(', ')) : trans.__('Show hosts and runs');
        return (
          <button
            type="button"
            className="jr-StatusItem"
            title={title}
            aria-label={`${trans.__('Remote hosts')}: ${words || trans.__('no runs')}`}
            onClick={() => void commands.execute(CommandIDs.openPanel)}
          >
            <remoteIcon.react tag="span" height="14px" width="14px" elementPosition="center" />
            <span>{words}</span>
          </button>
        );
      }}
    </UseSignal>
  );
}

export const statusPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-remote:status',
  description: 'Runs that go on and hosts that are down, in the status bar.',
  requires: [IRemoteState],
  optional: [IStatusBar, ITranslator],
  autoStart: true,
  activate: (app: JupyterFrontEnd, state: RemoteState, statusBar: IStatusBar | null, translator: ITranslator | null) => {
    if (!statusBar) {
      return; // Notebook 7 has none
    }
    const trans = (translator ?? nullTranslator).load('jupyter-remote');
    const counter = new Counter(state);
    const item = ReactWidget.create(<Item counter={counter} commands={app.commands} trans={trans} />);
    item.id = 'jupyter-remote-status';
    statusBar.registerStatusItem(statusPlugin.id, {
      item,
      align: 'left',
      rank: 900,
      isActive: () => state.available,
      activeStateChanged: state.availableChanged as unknown as ISignal<unknown, void>
    });
  }
};
