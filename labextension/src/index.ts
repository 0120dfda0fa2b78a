/** All plugins of the extension. Each subject keeps its own plugins in its own file; here is only the list. */
import { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { filesPlugin } from './elsewhere/files';
import { noticesPlugin } from './elsewhere/notices';
import { statusPlugin } from './elsewhere/status';
import { hostPlugin } from './host/plugin';
import { notebookPlugin } from './notebook/plugin';
import { widgetKeysPlugin } from './notebook/widgetKeys';
import { panelPlugin } from './panel/plugin';
import { viewsPlugin } from './run/plugin';
import { statePlugin } from './state/plugin';

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- as the application takes them
const plugins: JupyterFrontEndPlugin<any>[] = [
  statePlugin,
  panelPlugin,
  hostPlugin,
  viewsPlugin,
  notebookPlugin,
  widgetKeysPlugin,
  statusPlugin,
  noticesPlugin,
  filesPlugin
];

export default plugins;
