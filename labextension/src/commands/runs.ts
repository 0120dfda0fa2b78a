/** Commands about runs. */
import { Dialog, InputDialog, Notification, showDialog } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';

import type { Run, RunAction, RunsAction } from '../api/models';
import { ONGOING } from '../api/models';
import type { IUi } from '../hooks';
import { CommandIDs } from './ids';
import { carryOutAll } from './batch';
import { carryOut } from './report';

interface IRunCommand {
  action: RunAction;
  label: string;
  caption: string;
  applies(run: Run): boolean;
  /** Whether it may be done with several at once. */
  several: boolean;
  /** A question before, if it destroys something. */
  sure?: [title: string, body: string];
}

function list(trans: TranslationBundle): IRunCommand[] {
  const goesOn = (run: Run) => ONGOING.has(run.state);
  return [
    { action: 'attach', label: trans.__('Attach'), caption: trans.__('Follow the run here'), applies: goesOn, several: false },
    { action: 'interrupt', label: trans.__('Interrupt'), caption: trans.__('Ctrl-C: the code may clean up'), applies: goesOn, several: true },
    {
      action: 'stop',
      label: trans.__('Stop'),
      caption: trans.__('End the run with all its processes'),
      applies: goesOn,
      several: true,
      sure: [trans.__('Stop this run?'), trans.__('What it has printed and written stays.')]
    },
    { action: 'pull', label: trans.__('Pull artifacts'), caption: trans.__('Bring the files that it made here'), applies: run => !run.deleted, several: true },
    { action: 'rerun', label: trans.__('Run again'), caption: trans.__('Start it anew, with the same code and options'), applies: run => !goesOn(run), several: false },
    { action: 'delete', label: trans.__('Delete'), caption: trans.__('To the trash, from where it can be restored'), applies: run => !run.deleted && !goesOn(run), several: true },
    { action: 'restore', label: trans.__('Restore'), caption: trans.__('Out of the trash'), applies: run => run.deleted, several: true },
    {
      action: 'purge',
      label: trans.__('Delete for good…'),
      caption: trans.__('From the host and from the history'),
      applies: run => run.deleted,
      several: true,
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
      // Of several it is enough that it can be done with one: the server says which it has refused.
      isVisible: args => {
        const runs = runsOf(ui, args);
        return runs.length > 1 ? command.several && runs.some(command.applies) : runs.every(command.applies);
      },
      isEnabled: args => runsOf(ui, args).length > 0,
      execute: async args => {
        const runs = runsOf(ui, args);
        if (runs.length === 0 || (command.sure && !(await sure(command, runs, trans)))) {
          return;
        }
        if (runs.length > 1) {
          const ids = runs.map(run => run.id);
          await carryOutAll(ui, command.action as RunsAction['action'], ids);
          return;
        }
        const [run] = runs;
        if (command.action === 'attach') {
          void commands.execute(CommandIDs.openRun, { run: run.id });
        }
        const done = await carryOut(state, () => state.client.actOnRun(run.id, command.action));
        if (command.action === 'rerun' && done?.result?.run) {
          void commands.execute(CommandIDs.openRun, { run: done.result.run.id });
        } else if (command.action === 'pull' && done) {
          Notification.success(done.text || trans.__('The artifacts are here.'), { autoClose: 6000 });
        }
      }
    });
  }
  commands.addCommand(CommandIDs.labelRun, {
    label: trans.__('Label…'),
    caption: trans.__('Give the run a name'),
    isEnabled: args => runsOf(ui, args).length > 0,
    execute: async args => {
      const runs = runsOf(ui, args);
      const same = runs.every(run => run.label === runs[0].label) ? (runs[0].label ?? '') : '';
      const title = runs.length === 1 ? trans.__('Label of the run') : trans.__('Label of %1 runs', runs.length);
      const { value } = await InputDialog.getText({ title, text: same });
      if (value === null) {
        return;
      }
      if (runs.length > 1) {
        await carryOutAll(ui, 'label', runs.map(run => run.id), value.trim());
      } else {
        await carryOut(state, () => state.client.labelRun(runs[0].id, value.trim()));
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
