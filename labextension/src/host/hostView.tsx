/** The main-area view of what a host has besides sessions and runs. */
import { ReactWidget } from '@jupyterlab/apputils';
import * as React from 'react';

import { CommandIDs } from '../commands/ids';
import { IUi, UiContext, useStore, useUi } from '../hooks';
import { remoteIcon } from '../icons';
import { hostStateWord } from '../words';
import { CampaignsPart } from './campaigns';
import { EnvironmentsPart } from './environments';
import { ForwardsPart } from './forwards';

/** Campaigns, environments and forwarded ports of one host. */
export class HostView extends ReactWidget {
  constructor(
    private readonly ui: IUi,
    readonly host: string
  ) {
    super();
    this.id = `jupyter-remote-host-${host}`;
    this.addClass('jr-HostView');
    this.title.icon = remoteIcon;
    this.title.closable = true;
    this.title.label = host;
    this.title.caption = ui.trans.__('Campaigns, environments and forwarded ports of %1', host);
    // Scrolled by the keyboard, too.
    this.node.tabIndex = 0;
  }

  protected render(): React.ReactElement {
    return (
      <UiContext.Provider value={this.ui}>
        <Content host={this.host} />
      </UiContext.Provider>
    );
  }
}

function Content({ host }: { host: string }): JSX.Element {
  const { state, commands, trans } = useUi();
  const known = useStore(`host:${host}`, () => state.store.host(host));
  const up = known?.state === 'connected';
  return (
    <>
      <div className="jr-HostView-head">
        <h2>{host}</h2>
        <span>{known ? hostStateWord(known.state, trans) : trans.__('There is no such host any more.')}</span>
        {known && !up && (
          <button className="jr-Button" onClick={() => void commands.execute(CommandIDs.host('connect'), { host })}>
            {trans.__('Connect')}
          </button>
        )}
      </div>
      {known && (
        <>
          <CampaignsPart host={host} up={up} />
          <EnvironmentsPart host={host} up={up} />
          <ForwardsPart host={host} />
        </>
      )}
    </>
  );
}
