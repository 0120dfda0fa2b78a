/** What plugins of this extension give each other. */
import { Token } from '@lumino/coreutils';

import type { RemoteState } from './state/remote';

/**
 * The state: `client` asks the server, `store` is what is known (`store.on(KEY, …)` tells of changes),
 * `topics` subscribes to samples and outputs.
 */
export type IRemoteState = RemoteState;

export const IRemoteState = new Token<IRemoteState>(
  'jupyter-remote:IRemoteState',
  'Hosts, sessions and runs of jupyter_remote, kept up to date.'
);
