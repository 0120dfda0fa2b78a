/** All plugins of the extension. Each subject keeps its own plugins in its own file; here is only the list. */
import { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { filesPlugin } from './elsewhere/files';
import { noticesPlugin } from './elsewhere/notices';
import { statusPlugin } from './elsewhere/status';
import { notebookPlugin } from './notebook/plugin';
import { statePlugin } from './state/plugin';

const plugins: JupyterFrontEndPlugin<unknown>[] = [statePlugin, notebookPlugin, statusPlugin, noticesPlugin, filesPlugin];

export default plugins;
