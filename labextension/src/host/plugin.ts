/** The plugin of the view of a host. */
import { ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs } from '../commands/ids';
import type { IUi } from '../hooks';
import { IRemoteState } from '../tokens';
import { HostView } from './hostView';

export const hostPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-remote:host',
  description: 'The view of a host: campaigns, environments, forwarded ports.',
  autoStart: true,
  requires: [IRemoteState],
  optional: [ITranslator, ILayoutRestorer],
  activate: (app: JupyterFrontEnd, state: IRemoteState, translator: ITranslator | null, restorer: ILayoutRestorer | null): void => {
    const trans = (translator ?? nullTranslator).load('jupyter_remote');
    const ui: IUi = { state, commands: app.commands, trans };
    // As the views of runs.
    const area = app.name === 'Jupyter Notebook' ? 'down' : 'main';
    const hosts = new WidgetTracker<MainAreaWidget<HostView>>({ namespace: 'jupyter-remote-hosts' });
    app.commands.addCommand(CommandIDs.openHost, {
      label: trans.__('Campaigns, environments, ports'),
      caption: trans.__('What the host has besides sessions and runs'),
      execute: async args => {
        const host = String(args.host);
        let view = hosts.find(one => one.content.host === host);
        if (!view) {
          const content = new HostView(ui, host);
          view = new MainAreaWidget({ content });
          view.id = content.id + '-main';
          await hosts.add(view);
          app.shell.add(view, area);
        }
        app.shell.activateById(view.id);
      }
    });
    void restorer?.restore(hosts, {
      command: CommandIDs.openHost,
      args: view => ({ host: view.content.host }),
      name: view => view.content.host
    });
  }
};
