/** Commands about hosts and their sessions. */
import { Dialog, InputDialog, Notification, showDialog } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';

import type { Host, HostAction, HostActionOptions, NewHost } from '../api/models';
import type { IUi } from '../hooks';
import { askFields, showFindings } from './dialogs';
import { CommandIDs } from './ids';
import { carryOut, tellError } from './report';
import { sure } from './sure';

interface IHostCommand {
  action: HostAction;
  label: string;
  caption: string;
  applies(host: Host): boolean;
  /** Asks for what it needs; null gives it up. */
  options?(host: Host): Promise<HostActionOptions | null>;
}

function list(trans: TranslationBundle): IHostCommand[] {
  const isUp = (host: Host) => host.state === 'connected';
  const some = (options: Partial<HostActionOptions>) => options as HostActionOptions;
  return [
    { action: 'connect', label: trans.__('Connect'), caption: trans.__('Connect to the host'), applies: host => !isUp(host) && host.state !== 'connecting' },
    { action: 'disconnect', label: trans.__('Disconnect'), caption: trans.__('Close the connection; what runs there goes on'), applies: isUp },
    { action: 'refresh', label: trans.__('Refresh'), caption: trans.__('Ask for status, sessions and runs anew'), applies: isUp },
    { action: 'setup', label: trans.__('Set up'), caption: trans.__('Look at the machine, prepare it and save what was found'), applies: () => true },
    { action: 'doctor', label: trans.__('Check (doctor)'), caption: trans.__('Go through all checks, with what to do about each'), applies: () => true },
    { action: 'start', label: trans.__('Switch on'), caption: trans.__('Start the machine and wait for it'), applies: host => host.can_start && !isUp(host) },
    {
      action: 'stop',
      label: trans.__('Switch off…'),
      caption: trans.__('Stop the machine'),
      applies: host => host.can_start,
      options: async host => {
        const text =
          host.runs > 0
            ? trans._n('%1 run goes on there and would be lost.', '%1 runs go on there and would be lost.', host.runs)
            : trans.__('The machine is stopped; its disks stay.');
        return (await sure(trans.__('Switch off %1?', host.name), text, trans.__('Switch off'), trans)) ? some({ force: true }) : null;
      }
    },
    {
      action: 'sync',
      label: trans.__('Sync a folder…'),
      caption: trans.__('Bring the workspace on the host up to date'),
      applies: () => true,
      options: async host => {
        const values = await askFields(trans.__('Sync to %1', host.name), [folderField(trans)], trans.__('Sync'), trans);
        return values && some({ folder: values.folder });
      }
    },
    {
      action: 'pull',
      label: trans.__('Pull files…'),
      caption: trans.__('Bring files of the workspace on the host here'),
      applies: () => true,
      options: async host => {
        const paths = { name: 'paths', label: trans.__('Files'), placeholder: 'results/**', help: trans.__('Patterns as in a .gitignore, with spaces between') };
        const values = await askFields(trans.__('Pull from %1', host.name), [paths, folderField(trans)], trans.__('Pull'), trans);
        return values && some({ folder: values.folder, paths: values.paths.split(/\s+/).filter(Boolean) });
      }
    }
  ];
}

function folderField(trans: TranslationBundle) {
  return {
    name: 'folder',
    label: trans.__('Workspace'),
    placeholder: trans.__('the top folder'),
    help: trans.__('A folder below the one that JupyterLab was started in')
  };
}

/** Adds the commands of hosts. */
export function addHostCommands(ui: IUi): void {
  const { commands, state, trans } = ui;
  for (const command of list(trans)) {
    commands.addCommand(CommandIDs.host(command.action), {
      label: command.label,
      caption: command.caption,
      isVisible: args => {
        const host = state.store.host(String(args.host ?? ''));
        return host === undefined || command.applies(host);
      },
      execute: async args => {
        const host = await pick(ui, args.host, command);
        const options = host && (command.options ? await command.options(host) : ({} as HostActionOptions));
        if (!host || !options) {
          return;
        }
        const done = await carryOut(state, () => state.client.actOnHost(host.name, command.action, options));
        if (done?.result?.findings) {
          await showFindings(host.name, done.result.findings, trans);
        } else if (done && done.text && command.options) {
          Notification.success(`${host.name}: ${done.text}`, { autoClose: 6000 });
        }
      }
    });
  }
  commands.addCommand(CommandIDs.addHost, {
    label: trans.__('Add a Host…'),
    caption: trans.__('Connect to a machine by SSH, look at it and save it'),
    execute: () => addHost(ui)
  });
  commands.addCommand(CommandIDs.removeHost, {
    label: trans.__('Forget this host…'),
    caption: trans.__('Take it out of hosts.yaml; nothing on it changes'),
    isVisible: args => state.store.host(String(args.host ?? ''))?.kind !== 'local',
    execute: async args => {
      const host = await pick(ui, args.host);
      const text = trans.__('Nothing on the machine changes; its runs stay in the history.');
      if (host && (await sure(trans.__('Forget %1?', host.name), text, trans.__('Forget'), trans))) {
        await state.client.removeHost(host.name).catch(tellError);
      }
    }
  });
  addSessionCommands(ui, commands);
}

function addSessionCommands({ state, trans }: IUi, commands: CommandRegistry): void {
  commands.addCommand(CommandIDs.stopSession, {
    label: trans.__('End this session…'),
    caption: trans.__('End it with all its processes; its variables are lost'),
    execute: async args => {
      const { host, session } = args as { host: string; session: string };
      const text = trans.__('Its variables are lost, and the run that it executes is stopped.');
      if (await sure(trans.__('End the session %1 on %2?', session, host), text, trans.__('End it'), trans)) {
        await carryOut(state, () => state.client.stopSession(host, session));
      }
    }
  });
}

/** The host of the arguments, else one that the user chooses. */
async function pick({ state, trans }: IUi, name: unknown, command?: IHostCommand): Promise<Host | undefined> {
  if (typeof name === 'string') {
    return state.store.host(name);
  }
  const hosts = state.store.hostNames.map(one => state.store.host(one)!).filter(host => !command || command.applies(host));
  if (hosts.length === 0) {
    await showDialog({
      title: command?.label ?? trans.__('Hosts'),
      body: trans.__('No host is in a state for this.'),
      buttons: [Dialog.okButton()]
    });
    return undefined;
  }
  const { value } = await InputDialog.getItem({ title: command?.label ?? trans.__('Which host?'), items: hosts.map(host => host.name) });
  return value === null ? undefined : state.store.host(value);
}

async function addHost({ state, trans }: IUi): Promise<void> {
  const fields = [
    { name: 'target', label: trans.__('Machine'), placeholder: 'me@gpu-server-01', help: trans.__('user@machine:port, or an alias of your ~/.ssh/config') },
    { name: 'name', label: trans.__('Name'), placeholder: trans.__('made from the machine’s'), help: trans.__('What to call it: %%%%remote NAME') },
    { name: 'group', label: trans.__('Group'), placeholder: trans.__('none'), help: trans.__('Hosts of a group take one cell together: %%%%remote @GROUP'), choices: Object.keys(state.store.groups) },
    { name: 'ssh_key', label: trans.__('SSH key'), placeholder: trans.__('as ssh would choose'), help: trans.__('Path of a private key on this machine; a password is asked for if need be, and never stored') }
  ];
  const values = await askFields(trans.__('Add a Host'), fields, trans.__('Connect and add'), trans);
  if (!values || !values.target) {
    return;
  }
  const host: NewHost = {
    target: values.target,
    name: values.name || null,
    group: values.group || null,
    ssh_key: values.ssh_key || null,
    setup: true
  };
  try {
    const answer = await state.client.addHost(host);
    if ('action' in answer) {
      const done = await carryOut(state, () => Promise.resolve(answer));
      if (done?.result?.host) {
        const { findings } = done.result;
        if (findings?.some(finding => finding.state === 'failed')) {
          await showFindings(done.result.host, findings, trans);
        }
        Notification.success(trans.__('%1 is ready: put %%%%remote %1 on a cell.', done.result.host), { autoClose: 8000 });
      }
    }
  } catch (error) {
    tellError(error);
  }
}
