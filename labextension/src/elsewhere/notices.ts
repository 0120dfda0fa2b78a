/** Tells when a run that took long has ended, for those who want that. */
import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator, TranslationBundle } from '@jupyterlab/translation';

import type { Run, State } from '../api/models';
import { ONGOING } from '../api/models';
import { CommandIDs } from '../commands/ids';
import type { RemoteState } from '../state/remote';
import { IRemoteState } from '../tokens';
import { duration, runTitle, stateWord } from '../words';

/** Finds the runs that were seen to go on and have ended since. */
export class Endings {
  /**
   * Takes the runs as they are known now.
   *
   * @returns those that ended since the last time and took at least so many seconds.
   */
  look(runs: Iterable<Run>, seconds: number): Run[] {
    const ended: Run[] = [];
    for (const run of runs) {
      const before = this.states.get(run.id);
      if (ONGOING.has(run.state)) {
        this.states.set(run.id, run.state);
      } else if (before !== undefined) {
        this.states.delete(run.id);
        if (!run.deleted && took(run) >= seconds) {
          ended.push(run);
        }
      }
    }
    return ended;
  }

  private readonly states = new Map<string, State>();
}

function took(run: Run): number {
  return run.seconds ?? (run.ended !== null && run.started !== null ? run.ended - run.started : 0);
}

/** One line on how a run ended. */
export function endWords(run: Run, trans: TranslationBundle): string {
  const title = runTitle(run);
  const name = title.length > 60 ? `${title.slice(0, 59)}…` : title;
  return `${run.host} · ${stateWord(run.state, trans)} · ${duration(took(run))} · ${name}`;
}

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
