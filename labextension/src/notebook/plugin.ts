/** What notebooks get: the choice of a host, the button of a cell, marks on cells, attaching to their runs. */
import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette, IToolbarWidgetRegistry } from '@jupyterlab/apputils';
import { INotebookTracker, NotebookActions, NotebookPanel } from '@jupyterlab/notebook';
import { ITranslator, nullTranslator, TranslationBundle } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';

import { CommandIDs } from '../commands/ids';
import { remoteIcon } from '../icons';
import type { RemoteState } from '../state/remote';
import { IRemoteState } from '../tokens';
import { hostOfNotebook, setHostOfNotebook } from './hostChoice';
import { NotebookCommandIDs } from './ids';
import { KernelLink } from './kernelLink';
import { hostOf, KEY } from './marks';
import { NotebookMarks } from './notebookMarks';
import { HostPicker } from './picker';
import { activeCode, hostLabel, openRunOnMenu, runOn } from './runOn';
import { mentionsRemote, namesHosts } from './source';

interface IOpen {
  link: KernelLink;
  marks: NotebookMarks;
}

export const notebookPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-remote:notebook',
  description: 'Hosts in notebooks: a default host, “Run on…” for a cell, marks on cells that ran elsewhere.',
  requires: [IRemoteState, INotebookTracker],
  optional: [IToolbarWidgetRegistry, ICommandPalette, ITranslator],
  autoStart: true,
  activate: (
    app: JupyterFrontEnd,
    state: RemoteState,
    tracker: INotebookTracker,
    toolbars: IToolbarWidgetRegistry | null,
    palette: ICommandPalette | null,
    translator: ITranslator | null
  ) => {
    const trans = (translator ?? nullTranslator).load('jupyter-remote');
    const open = new WeakMap<NotebookPanel, IOpen>();
    addCommands(app.commands, state, tracker, open, trans);
    tracker.activeCellChanged.connect(() => {
      app.commands.notifyCommandChanged(NotebookCommandIDs.runCellOn);
    });
    toolbars?.addFactory<NotebookPanel>('Notebook', 'jupyter-remote-host', panel => new HostPicker(panel, state, trans));
    for (const command of Object.values(NotebookCommandIDs)) {
      palette?.addItem({ command, category: trans.__('Remote') });
    }
    const openRun = (run: string) => void app.commands.execute(CommandIDs.openRun, { run });
    const follow = (panel: NotebookPanel) => {
      const link = new KernelLink(panel.sessionContext, () => hostOfNotebook(panel));
      open.set(panel, { link, marks: new NotebookMarks(panel, link, state, trans, openRun) });
      keepHost(panel, link);
    };
    tracker.forEach(follow);
    tracker.widgetAdded.connect((_, panel) => follow(panel));
    NotebookActions.outputCleared.connect((_, { notebook, cell }) => {
      const panel = tracker.find(one => one.content === notebook);
      if (panel) {
        open.get(panel)?.marks.of(cell)?.clear();
      }
    });
    NotebookActions.executed.connect((_, { notebook, cell }) => {
      const panel = tracker.find(one => one.content === notebook);
      if (panel && mentionsRemote(cell.model.sharedModel.getSource())) {
        open.get(panel)?.link.want();
      }
    });
  }
};

/** The metadata and the kernel say the same. */
function keepHost(panel: NotebookPanel, link: KernelLink): void {
  link.told.connect((_, said) => {
    if ('host' in said) {
      setHostOfNotebook(panel, hostOf(said));
    }
  });
  void panel.context.ready.then(() => {
    panel.content.model?.metadataChanged.connect((_, change) => {
      if (change.key === KEY) {
        link.tell();
      }
    });
  });
  panel.disposed.connect(() => link.dispose());
}

function addCommands(
  commands: CommandRegistry,
  state: RemoteState,
  tracker: INotebookTracker,
  open: WeakMap<NotebookPanel, IOpen>,
  trans: TranslationBundle
): void {
  const here = () => {
    const panel = tracker.currentWidget;
    const cell = activeCode(panel);
    const known = panel && open.get(panel);
    return panel && cell && known ? { panel, cell, ...known } : null;
  };
  commands.addCommand(NotebookCommandIDs.runCell, {
    label: args =>
      args.inMenu && namesHosts(args.host)
        ? hostLabel(args.host, tracker.currentWidget && hostOfNotebook(tracker.currentWidget), state, trans)
        : trans.__('Run Cell on the Notebook’s Host'),
    caption: trans.__('Run this cell on the host that the notebook’s toolbar says'),
    isEnabled: () => here() !== null,
    execute: async args => {
      const now = here();
      if (!now) {
        return;
      }
      const host = namesHosts(args.host) ? args.host : hostOfNotebook(now.panel);
      if (host === null) {
        openRunOnMenu(commands, now.panel, state);
      } else {
        await runOn(now.panel, now.link, now.cell, host, trans);
      }
    }
  });
  commands.addCommand(NotebookCommandIDs.runCellOn, {
    label: trans.__('Run Cell on…'),
    caption: trans.__('Run this cell on a host; its text stays as it is'),
    icon: remoteIcon,
    isEnabled: () => here() !== null,
    isVisible: () => here() !== null,
    execute: () => {
      const now = here();
      if (now) {
        openRunOnMenu(commands, now.panel, state);
      }
    }
  });
  commands.addCommand(NotebookCommandIDs.openCellRun, {
    label: trans.__('Open the Run of This Cell'),
    isEnabled: () => (here()?.marks.of(here()?.cell)?.marks.length ?? 0) > 0,
    execute: () => {
      const now = here();
      const marks = now?.marks.of(now.cell)?.marks ?? [];
      return marks.length > 0 ? commands.execute(CommandIDs.openRun, { run: marks[marks.length - 1].run }) : undefined;
    }
  });
  commands.addCommand(NotebookCommandIDs.attachCell, {
    label: trans.__('Attach This Cell to Its Run'),
    isEnabled: () => here()?.marks.attachable(here()?.cell) !== undefined,
    execute: async () => {
      const now = here();
      const marks = now?.marks.of(now.cell);
      const mark = now?.marks.attachable(now.cell);
      if (now && marks && mark) {
        await now.marks.attach(marks, mark);
      }
    }
  });
  commands.addCommand(NotebookCommandIDs.chooseHost, {
    label: trans.__('Choose the Notebook’s Host'),
    isEnabled: () => tracker.currentWidget !== null,
    execute: args => {
      const panel = tracker.currentWidget;
      if (panel && (args.host === null || namesHosts(args.host))) {
        setHostOfNotebook(panel, args.host);
      } else {
        panel?.node.querySelector<HTMLElement>('.jr-HostPicker select')?.focus();
      }
    }
  });
}
