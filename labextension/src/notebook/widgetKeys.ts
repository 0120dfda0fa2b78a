/**
 * Keys in the widgets of `host_picker()`. JupyterLab moves between cells by the arrow keys, wherever the focus is but in a
 * text; in the list of hosts they are the list's, and Enter chooses. The words of the picker are sent by its kernel.
 */
import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';

const PICKER = '.jr-picker';
/** What Lumino looks for before it takes a key for a shortcut. */
const OWN_KEYS = 'data-lm-suppress-shortcuts';
/** A page holds back what was chosen last while the kernel deals with the choice before it, but no click. */
const CHOSEN_MS = 400;

/** Gives the list that has the focus its own keys. */
export function leaveKeys(event: FocusEvent): void {
  const list = event.target;
  if (list instanceof HTMLSelectElement && list.closest(PICKER)) {
    list.setAttribute(OWN_KEYS, 'true');
  }
}

/** Enter in the list presses the button that makes a host the notebook's own. */
export function chooseByEnter(event: KeyboardEvent): void {
  const list = event.target;
  if (event.key !== 'Enter' || event.ctrlKey || event.shiftKey || event.altKey || event.metaKey || !(list instanceof HTMLSelectElement)) {
    return;
  }
  const use = list.closest(PICKER)?.querySelector<HTMLButtonElement>('.jr-picker-use');
  if (use) {
    event.preventDefault();
    setTimeout(() => use.click(), CHOSEN_MS);
  }
}

export const widgetKeysPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-remote:widget-keys',
  description: 'The arrow keys and Enter in the list of hosts that host_picker() shows.',
  autoStart: true,
  activate: (_app: JupyterFrontEnd) => {
    document.addEventListener('focusin', leaveKeys);
    document.addEventListener('keydown', chooseByEnter);
  }
};
