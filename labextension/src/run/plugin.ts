/** The plugin of the main-area views: of one run, and of several side by side. */
import { ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs } from '../commands/ids';
import { CompareView } from '../compare/compareView';
import type { IUi } from '../hooks';
import { IRemoteState } from '../tokens';
import { RunView } from './runView';

export const viewsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-remote:views',
  description: 'The views of runs in the main area.',
  autoStart: true,
  requires: [IRemoteState],
  optional: [ITranslator, ILayoutRestorer],
  activate: (app: JupyterFrontEnd, state: IRemoteState, translator: ITranslator | null, restorer: ILayoutRestorer | null): void => {
    const trans = (translator ?? nullTranslator).load('jupyter_remote');
    const ui: IUi = { state, commands: app.commands, trans };
    // The main area of Notebook 7 has room for one widget, its notebook or its files.
    const area = app.name === 'Jupyter Notebook' ? 'down' : 'main';
    const runs = new WidgetTracker<MainAreaWidget<RunView>>({ namespace: 'jupyter-remote-runs' });
    const comparisons = new WidgetTracker<MainAreaWidget<CompareView>>({ namespace: 'jupyter-remote-comparisons' });

    app.commands.addCommand(CommandIDs.openRun, {
      label: trans.__('Open'),
      caption: trans.__('Its log, metrics and artifacts'),
      execute: async args => {
        const run = String(args.run);
        let view = runs.find(one => one.content.run === run);
        if (!view) {
          const content = new RunView(ui, run);
          view = new MainAreaWidget({ content });
          view.id = content.id + '-main';
          await runs.add(view);
          app.shell.add(view, area);
        }
        app.shell.activateById(view.id);
      }
    });
    app.commands.addCommand(CommandIDs.compare, {
      label: trans.__('Compare'),
      caption: trans.__('Side by side: settings, metrics, curves'),
      isEnabled: args => Array.isArray(args.runs) && args.runs.length > 1,
      execute: async args => {
        const ids = (args.runs as string[]).slice(0, 100);
        let view = comparisons.find(one => one.content.runs.join() === ids.join());
        if (!view) {
          const content = new CompareView(ui, ids);
          view = new MainAreaWidget({ content });
          view.id = content.id + '-main';
          await comparisons.add(view);
          app.shell.add(view, area);
        }
        app.shell.activateById(view.id);
      }
    });
    void restorer?.restore(runs, {
      command: CommandIDs.openRun,
      args: view => ({ run: view.content.run }),
      name: view => view.content.run
    });
    void restorer?.restore(comparisons, {
      command: CommandIDs.compare,
      args: view => ({ runs: [...view.content.runs] }),
      name: view => view.content.runs.join()
    });
  }
};
