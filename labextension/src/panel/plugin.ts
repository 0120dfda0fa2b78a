/** The plugin of the side bar, of the commands about hosts and runs, and of questions. */
import { ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import type { HostAction } from '../api/models';
import { addHostCommands } from '../commands/hosts';
import { CommandIDs } from '../commands/ids';
import { Questions } from '../commands/prompts';
import { tellError } from '../commands/report';
import { addRunCommands } from '../commands/runs';
import type { IUi } from '../hooks';
import { IRemoteState } from '../tokens';
import { RemotePanel } from './panel';

const IN_PALETTE: HostAction[] = ['connect', 'disconnect', 'setup', 'doctor', 'sync', 'pull', 'start', 'stop'];

export const panelPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-remote:panel',
  description: 'The side bar with hosts and runs.',
  autoStart: true,
  requires: [IRemoteState],
  optional: [ITranslator, ILayoutRestorer, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    state: IRemoteState,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('jupyter_remote');
    const ui: IUi = { state, commands: app.commands, trans };
    addHostCommands(ui);
    addRunCommands(ui);
    const panel = new RemotePanel(ui);
    app.commands.addCommand(CommandIDs.openPanel, {
      label: trans.__('Show Remote Hosts and Runs'),
      execute: () => app.shell.activateById(panel.id)
    });
    app.commands.addCommand(CommandIDs.refresh, {
      label: trans.__('Refresh Remote Hosts and Runs'),
      execute: () => state.refresh().catch(tellError)
    });
    const category = trans.__('Remote');
    const ids = [CommandIDs.openPanel, CommandIDs.refresh, CommandIDs.addHost, ...IN_PALETTE.map(CommandIDs.host)];
    for (const command of ids) {
      palette?.addItem({ command, category });
    }
    app.shell.add(panel, 'left', { rank: 600, type: 'Remote' });
    restorer?.add(panel, panel.id);
    new Questions(ui);
  }
};
