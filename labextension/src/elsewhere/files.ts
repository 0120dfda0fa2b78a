/** "Push to …" and "Pull from …" in the file browser. */
import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import { IFileBrowserFactory } from '@jupyterlab/filebrowser';
import { INotebookTracker } from '@jupyterlab/notebook';
import { Contents } from '@jupyterlab/services';
import { ITranslator, nullTranslator, TranslationBundle } from '@jupyterlab/translation';

import type { HostActionOptions } from '../api/models';
import { askFields } from '../commands/dialogs';
import { carryOut } from '../commands/report';
import { remoteIcon } from '../icons';
import type { RemoteState } from '../state/remote';
import { IRemoteState } from '../tokens';
import { ISelected, patternOf, patternsIn, within, workspaceOf } from './paths';

export namespace FileCommandIDs {
  export const push = 'jupyter-remote:files-push';
  export const pull = 'jupyter-remote:files-pull';
}

export const filesPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-remote:files',
  description: '“Push to…” and “Pull from…” in the file browser.',
  requires: [IRemoteState, IFileBrowserFactory],
  optional: [INotebookTracker, ITranslator],
  autoStart: true,
  activate: (
    app: JupyterFrontEnd,
    state: RemoteState,
    browsers: IFileBrowserFactory,
    tracker: INotebookTracker | null,
    translator: ITranslator | null
  ) => {
    const trans = (translator ?? nullTranslator).load('jupyter-remote');
    const { contents } = app.serviceManager;
    const local = (path: string) => contents.localPath(path);
    const selected = (): ISelected[] => {
      const browser = browsers.tracker.currentWidget;
      // Other drives are no folders of the server.
      const items: Contents.IModel[] = browser && contents.driveName(browser.model.path) === '' ? [...browser.selectedItems()] : [];
      return items.map(item => ({ path: local(item.path), folder: item.type === 'directory' }));
    };
    const workspace = (items: readonly ISelected[]) => {
      const notebooks: string[] = [];
      tracker?.forEach(panel => notebooks.push(local(panel.context.path)));
      return workspaceOf(items, notebooks, local(browsers.tracker.currentWidget?.model.path ?? ''));
    };
    const usable = () => state.available && selected().length > 0;
    app.commands.addCommand(FileCommandIDs.push, {
      label: trans.__('Push to…'),
      caption: trans.__('Bring these files to a host, ignored ones too'),
      icon: remoteIcon,
      isVisible: usable,
      execute: () => push(state, selected(), workspace(selected()), trans)
    });
    app.commands.addCommand(FileCommandIDs.pull, {
      label: trans.__('Pull from…'),
      caption: trans.__('Bring these files from a host here'),
      icon: remoteIcon,
      isVisible: usable,
      execute: () => pull(state, selected(), workspace(selected()), trans)
    });
  }
};

function fields(state: RemoteState, folder: string, trans: TranslationBundle) {
  const names = state.store.hostNames;
  return [
    {
      name: 'host',
      label: trans.__('Host'),
      value: names.find(name => state.store.host(name)?.state === 'connected' && name !== 'local') ?? names.find(name => name !== 'local') ?? names[0],
      choices: names
    },
    {
      name: 'folder',
      label: trans.__('Workspace'),
      value: folder,
      placeholder: trans.__('the top folder'),
      help: trans.__('A notebook’s is the folder that it lies in')
    }
  ];
}

async function push(state: RemoteState, items: readonly ISelected[], folder: string, trans: TranslationBundle): Promise<void> {
  const title = items.length === 1 ? trans.__('Push %1', PathExt.basename(items[0].path)) : trans.__('Push %1 files', items.length);
  const values = await askFields(title, fields(state, folder, trans), trans.__('Push'), trans);
  if (!values) {
    return;
  }
  const paths = items.map(({ path }) => within(path, values.folder));
  if (paths.some(path => path === null)) {
    Notification.error(trans.__('%1 is not the folder of these files.', values.folder || '/'));
    return;
  }
  await send(state, 'push', values.host, { folder: values.folder, paths: paths as string[] }, trans);
}

async function pull(state: RemoteState, items: readonly ISelected[], folder: string, trans: TranslationBundle): Promise<void> {
  const inside = items.flatMap(item => {
    const path = within(item.path, folder);
    return path === null ? [] : [patternOf({ ...item, path })];
  });
  const patterns = {
    name: 'paths',
    label: trans.__('Files'),
    value: inside.join(' '),
    help: trans.__('Patterns as in a .gitignore, with spaces between')
  };
  const [host, where] = fields(state, folder, trans);
  const values = await askFields(trans.__('Pull files'), [host, patterns, where], trans.__('Pull'), trans);
  if (values) {
    await send(state, 'pull', values.host, { folder: values.folder, paths: patternsIn(values.paths) }, trans);
  }
}

async function send(
  state: RemoteState,
  action: 'push' | 'pull',
  host: string,
  options: { folder: string; paths: string[] },
  trans: TranslationBundle
): Promise<void> {
  if (!state.store.host(host)) {
    Notification.error(trans.__('There is no host %1.', host));
    return;
  }
  const done = await carryOut(state, () => state.client.actOnHost(host, action, options as HostActionOptions));
  if (done) {
    Notification.success(done.text || trans.__('%1: done', host), { autoClose: 6000 });
  }
}
