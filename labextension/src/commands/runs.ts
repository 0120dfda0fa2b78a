/** Commands about runs. */
import { Dialog, InputDialog, Notification, showDialog } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';

import type { Run, RunAction } from '../api/models';
import { ONGOING } from '../api/models';
import type { IUi } from '../hooks';
import { CommandIDs } from './ids';
import { carryOut } from './report';

interface IRunCommand {
  action: RunAction;
  label: string;
  caption: string;
  applies(run: Run): boolean;
  /** A question before, if it destroys something. */
  sure?: [title: string, body: string];
}

function list(trans: TranslationBundle): IRunCommand[] {
  const goesOn = (run: Run) => ONGOING.has(run.state);
  return [
    { action: 'attach', label: trans.__('Attach'), caption: trans.__('Follow the run here'), applies: goesOn },
    { action: 'interrupt', label: trans.__('Interrupt'), caption: trans.__('Ctrl-C: the code may clean up'), applies: goesOn },
    {
      action: 'stop',
      label: trans.__('Stop'),
      caption: trans.__('End the run with all its processes'),
      applies: goesOn,
      sure: [trans.__('Stop this run?'), trans.__('What it has printed and written stays.')]
    },
    { action: 'pull', label: trans.__('Pull artifacts'), caption: trans.__('Bring the files that it made here'), applies: run => !run.deleted },
    { action: 'rerun', label: trans.__('Run again'), caption: trans.__('Start it anew, with the same code and options'), applies: run => !goesOn(run) },
    { action: 'delete', label: trans.__('Delete'), caption: trans.__('To the trash, from where it can be restored'), applies: run => !run.deleted && !goesOn(run) },
    { action: 'restore', label: trans.__('Restore'), caption: trans.__('Out of the trash'), applies: run => run.deleted },
    {
      action: 'purge',
      label: trans.__('Delete for good…'),
      caption: trans.__('From the host and from the history'),
      applies: run => run.deleted,
      sure: [trans.__('Delete for good?'), trans.__('The run, its log and its files on the host can’t be brought back.')]
    }
  ];
}

/** Adds the commands of runs, less those that open a view. */
export function addRunCommands(ui: IUi): void {
  const { commands, state, trans } = ui;
  for (const command of list(trans)) {
    commands.addCommand(CommandIDs.run(command.action), {
      label: command.label,
      caption: command.caption,
      isVisible: args => runsOf(ui, args).every(command.applies),
      isEnabled: args => runsOf(ui, args).length > 0,
      execute: async args => {
        const runs = runsOf(ui, args);
        if (runs.length === 0 || (command.sure && !(await sure(command, runs, trans)))) {
          return;
        }
        if (command.action === 'attach') {
          void commands.execute(CommandIDs.openRun, { run: runs[0].id });
        }
        const done = await Promise.all(runs.map(run => carryOut(state, () => state.client.actOnRun(run.id, command.action))));
        if (command.action === 'rerun' && done[0]?.result?.run) {
          void commands.execute(CommandIDs.openRun, { run: done[0].result.run.id });
        } else if (command.action === 'pull' && done[0]) {
          Notification.success(done[0].text || trans.__('The artifacts are here.'), { autoClose: 6000 });
        }
      }
    });
  }
  commands.addCommand(CommandIDs.labelRun, {
    label: trans.__('Label…'),
    caption: trans.__('Give the run a name'),
    isEnabled: args => runsOf(ui, args).length === 1,
    execute: async args => {
      const [run] = runsOf(ui, args);
      const { value } = await InputDialog.getText({ title: trans.__('Label of the run'), text: run.label ?? '' });
      if (value !== null) {
        await carryOut(state, () => state.client.labelRun(run.id, value.trim()));
      }
    }
  });
}

/** The runs that the arguments name and that are known. */
export function runsOf({ state }: IUi, args: Record<string, unknown>): Run[] {
  const ids = Array.isArray(args.runs) ? args.runs : args.run === undefined ? [] : [args.run];
  return ids.map(id => state.store.run(String(id))).filter(run => run !== undefined);
}

async function sure(command: IRunCommand, runs: Run[], trans: TranslationBundle): Promise<boolean> {
  const [title, body] = command.sure!;
  const result = await showDialog({
    title: runs.length === 1 ? title : trans.__('%1 (%2 runs)', title, runs.length),
    body,
    buttons: [Dialog.cancelButton({ label: trans.__('Cancel') }), Dialog.warnButton({ label: command.label.replace('…', '') })]
  });
  return result.button.accept;
}
