/** Tells when a run that took long has ended, for those who want that. */
import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs } from '../commands/ids';
import type { RemoteState } from '../state/remote';
import { IRemoteState } from '../tokens';
import { Endings, endWords } from './endings';

export const noticesPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-remote:notices',
  description: 'Notifications of long runs that end.',
  requires: [IRemoteState],
  optional: [ISettingRegistry, ITranslator],
  autoStart: true,
  activate: (app: JupyterFrontEnd, state: RemoteState, registry: ISettingRegistry | null, translator: ITranslator | null) => {
    const trans = (translator ?? nullTranslator).load('jupyter-remote');
    const endings = new Endings();
    let settings: ISettingRegistry.ISettings | null = null;
    registry?.load(noticesPlugin.id).then(
      loaded => {
        settings = loaded;
      },
      () => undefined // nothing is told then, which is the default
    );
    state.store.on('runs', () => {
      const ended = endings.look(state.store.allRuns(), Number(settings?.composite.longRunSeconds ?? 60));
      if (settings?.composite.notifyLongRuns !== true) {
        return;
      }
      for (const run of ended) {
        const kind = run.state === 'finished' ? 'success' : run.state === 'stopped' ? 'info' : 'error';
        Notification.emit(endWords(run, trans), kind, {
          autoClose: false,
          actions: [
            { label: trans.__('Open'), callback: () => void app.commands.execute(CommandIDs.openRun, { run: run.id }) }
          ]
        });
      }
    });
  }
};
