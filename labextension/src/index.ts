/** All plugins of the extension. Each subject keeps its own plugins in its own file; here is only the list. */
import { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { statePlugin } from './state/plugin';

const plugins: JupyterFrontEndPlugin<unknown>[] = [statePlugin];

export default plugins;
