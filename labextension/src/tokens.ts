/** What plugins of this extension give each other. */
import { Token } from '@lumino/coreutils';

/** The hosts, sessions and runs as the server knows them, and what can be asked of it. */
export interface IRemoteState {
  /** Whether the server extension answers. */
  readonly available: boolean;
}

export const IRemoteState = new Token<IRemoteState>(
  'jupyter-remote:IRemoteState',
  'Hosts, sessions and runs of jupyter_remote, kept up to date.'
);
