/** The menu "Run on …" of a cell, and sending the cell. */
import { showErrorMessage } from '@jupyterlab/apputils';
import { CodeCell, isCodeCellModel } from '@jupyterlab/cells';
import { NotebookPanel } from '@jupyterlab/notebook';
import { TranslationBundle } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import { Menu } from '@lumino/widgets';

import { CommandIDs } from '../commands/ids';
import type { RemoteState } from '../state/remote';
import { hostStateWord } from '../words';
import { executeIn } from './execute';
import { choices, freeGpus, hostOfNotebook } from './hostChoice';
import { NotebookCommandIDs } from './ids';
import { KernelLink, NoMagicsError } from './kernelLink';
import { sentTo } from './source';

/** Runs a cell on a host as it stands, without changing its text. */
export async function runOn(panel: NotebookPanel, link: KernelLink, cell: CodeCell, host: string, trans: TranslationBundle): Promise<void> {
  const context = panel.sessionContext;
  const code = sentTo(cell.model.sharedModel.getSource(), host);
  if (code === '') {
    return;
  }
  try {
    if (context.pendingInput) {
      throw new NoMagicsError(trans.__('The kernel waits for an answer in another cell.'));
    }
    await link.load();
  } catch (error) {
    await showErrorMessage(trans.__('The cell can’t run on %1', host), error instanceof NoMagicsError ? error.message : String(error));
    return;
  }
  panel.content.mode = 'command';
  await executeIn(cell, context, code);
}

/** The active cell, where it is one that can run. */
export function activeCode(panel: NotebookPanel | null): CodeCell | null {
  const cell = panel?.content.activeCell ?? null;
  return cell && isCodeCellModel(cell.model) ? (cell as CodeCell) : null;
}

/** Opens the menu of hosts beside the button of the active cell, or at the cell. */
export function openRunOnMenu(commands: CommandRegistry, panel: NotebookPanel, state: RemoteState): Menu {
  const menu = new Menu({ commands });
  menu.addClass('jr-RunOnMenu');
  const own = hostOfNotebook(panel);
  for (const host of choices(state, own)) {
    menu.addItem({ command: NotebookCommandIDs.runCell, args: { host, inMenu: true } });
  }
  if (commands.hasCommand(CommandIDs.addHost)) {
    menu.addItem({ type: 'separator' });
    menu.addItem({ command: CommandIDs.addHost });
  }
  const cell = panel.content.activeCell!.node;
  const button = cell.querySelector('[data-jp-item-name="jupyter-remote-run-on"]') ?? cell;
  const place = button.getBoundingClientRect();
  menu.open(place.left, button === cell ? place.top : place.bottom);
  menu.aboutToClose.connect(() => setTimeout(() => menu.dispose()));
  return menu;
}

/** What a host is called in the menu, with what matters for the choice. */
export function hostLabel(name: string, own: string | null, state: RemoteState, trans: TranslationBundle): string {
  const host = state.store.host(name);
  const facts: string[] = [];
  if (name === own) {
    facts.push(trans.__('the notebook’s own'));
  }
  if (host?.state === 'down' || host?.state === 'connecting') {
    facts.push(hostStateWord(host.state, trans));
  }
  const gpus = freeGpus(host, state);
  if (gpus) {
    facts.push(trans.__('%1 of %2 GPUs free', ...gpus));
  }
  return facts.length > 0 ? `${name} (${facts.join(', ')})` : name;
}
