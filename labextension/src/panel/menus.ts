/** Menus of a host, a session and a run: the commands with their arguments. */
import { CommandRegistry } from '@lumino/commands';
import { JSONObject } from '@lumino/coreutils';
import { Menu } from '@lumino/widgets';

import type { HostAction, RunAction } from '../api/models';
import { CommandIDs } from '../commands/ids';

const HOST: (HostAction | '-')[] = ['connect', 'disconnect', 'refresh', '-', 'setup', 'doctor', '-', 'sync', 'pull', '-', 'start', 'stop', '-'];
const RUN: (RunAction | '-')[] = ['attach', 'interrupt', 'stop', '-', 'pull', 'rerun', '-', 'delete', 'restore', 'purge'];

/** Opens the menu of a host beside `anchor`. */
export function openHostMenu(commands: CommandRegistry, host: string, anchor: IPlace): void {
  const ids = HOST.map(action => (action === '-' ? '-' : CommandIDs.host(action)));
  open(commands, [CommandIDs.openHost, '-', ...ids, CommandIDs.removeHost], { host }, anchor);
}

/** Opens the menu of one or several runs. */
export function openRunMenu(commands: CommandRegistry, runs: string[], anchor: IPlace): void {
  const one = runs.length === 1 ? [CommandIDs.openRun, CommandIDs.labelRun] : [CommandIDs.compare, CommandIDs.labelRun];
  const args: JSONObject = runs.length === 1 ? { run: runs[0], runs } : { runs };
  open(commands, [...one, '-', ...RUN.map(action => (action === '-' ? '-' : CommandIDs.run(action)))], args, anchor);
}

/** Opens the menu of a session. */
export function openSessionMenu(commands: CommandRegistry, host: string, session: string, anchor: IPlace): void {
  open(commands, [CommandIDs.stopSession], { host, session }, anchor);
}

/** Where a menu goes: of a mouse, or below a button. */
export interface IPlace {
  x: number;
  y: number;
}

/** The place of an event: the mouse's, or below its target where a key was pressed. */
export function placeOf(event: { clientX?: number; clientY?: number; currentTarget: EventTarget | null }): IPlace {
  if (event.clientX || event.clientY) {
    return { x: event.clientX ?? 0, y: event.clientY ?? 0 };
  }
  const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
  return { x: box.left + 16, y: Math.min(box.bottom, box.top + 28) };
}

function open(commands: CommandRegistry, ids: string[], args: JSONObject, place: IPlace): void {
  const menu = new Menu({ commands });
  menu.addClass('jr-Menu');
  for (const id of ids) {
    if (id === '-') {
      menu.addItem({ type: 'separator' });
    } else {
      menu.addItem({ command: id, args });
    }
  }
  // Where the focus goes back to: a menu that closes leaves it nowhere.
  const before = document.activeElement as HTMLElement | null;
  menu.aboutToClose.connect(() => {
    requestAnimationFrame(() => {
      if (document.activeElement === document.body) {
        before?.focus();
      }
      menu.dispose();
    });
  });
  menu.open(place.x, place.y);
}
