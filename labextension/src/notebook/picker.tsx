/** The toolbar's "Run on: local ▾". */
import { ReactWidget, UseSignal } from '@jupyterlab/apputils';
import { NotebookPanel } from '@jupyterlab/notebook';
import { HTMLSelect } from '@jupyterlab/ui-components';
import { TranslationBundle } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';
import * as React from 'react';

import type { RemoteState } from '../state/remote';
import { choices, hostOfNotebook, setHostOfNotebook } from './hostChoice';
import { KEY } from './marks';

/** Chooses the default host of a notebook. */
export class HostPicker extends ReactWidget {
  constructor(
    private readonly panel: NotebookPanel,
    private readonly state: RemoteState,
    private readonly trans: TranslationBundle
  ) {
    super();
    this.addClass('jr-HostPicker');
    const changed = () => this.changed.emit();
    this.ends.push(state.store.on('hosts', changed));
    panel.content.modelChanged.connect(this.onModel, this);
    panel.disposed.connect(this.dispose, this);
    this.onModel();
  }

  dispose(): void {
    if (!this.isDisposed) {
      this.ends.forEach(end => end());
      this.panel.content.modelChanged.disconnect(this.onModel, this);
      Signal.clearData(this.changed);
      super.dispose();
    }
  }

  protected render(): React.ReactElement {
    return <UseSignal signal={this.changed}>{() => this.select()}</UseSignal>;
  }

  private select(): React.ReactElement {
    const { trans } = this;
    const host = hostOfNotebook(this.panel);
    const label = trans.__('Run on:');
    const title = trans.__('Where %%remote and %autoremote send cells when they name no host, and the button “Run on…” too');
    return (
      <label className="jr-HostPicker-label" title={title}>
        <span>{label}</span>
        <HTMLSelect
          className="jr-HostPicker-select"
          aria-label={trans.__('Default host of this notebook')}
          value={host ?? ''}
          onChange={event => {
            setHostOfNotebook(this.panel, event.target.value || null);
            this.panel.content.activate();
          }}
        >
          <option value="">{trans.__('local')}</option>
          {choices(this.state, host).map(name => (
            <option key={name} value={name}>
              {name === 'local' ? trans.__('local (own session)') : name}
            </option>
          ))}
        </HTMLSelect>
      </label>
    );
  }

  private onModel(): void {
    const model = this.panel.content.model;
    model?.metadataChanged.connect((_, change) => {
      if (change.key === KEY) {
        this.changed.emit();
      }
    }, this.changed);
    this.changed.emit();
  }

  private readonly changed = new Signal<this, void>(this);
  private readonly ends: (() => void)[] = [];
}
