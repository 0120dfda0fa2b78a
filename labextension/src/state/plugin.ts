/** The plugin that provides the state to all others. */
import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';

import { IRemoteState } from '../tokens';
import { RemoteState } from './remote';

export const statePlugin: JupyterFrontEndPlugin<IRemoteState> = {
  id: 'jupyter-remote:state',
  description: 'Hosts, sessions and runs of jupyter_remote.',
  provides: IRemoteState,
  autoStart: true,
  activate: (app: JupyterFrontEnd): IRemoteState => {
    const state = new RemoteState(app.serviceManager.serverSettings);
    void state.start();
    return state;
  }
};
