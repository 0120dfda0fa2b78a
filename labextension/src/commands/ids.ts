/** The names of all commands; those of hosts take `{host}`, those of runs `{run}` or `{runs}`. */
export namespace CommandIDs {
  export const openPanel = 'jupyter-remote:open-panel';
  export const refresh = 'jupyter-remote:refresh';
  export const addHost = 'jupyter-remote:add-host';
  export const removeHost = 'jupyter-remote:host-remove';
  export const stopSession = 'jupyter-remote:session-stop';
  export const openHost = 'jupyter-remote:host-open';
  export const openRun = 'jupyter-remote:run-open';
  export const labelRun = 'jupyter-remote:run-label';
  export const compare = 'jupyter-remote:compare';

  /** Of an action on a host. */
  export const host = (action: string) => `jupyter-remote:host-${action}`;
  /** Of an action on a run. */
  export const run = (action: string) => `jupyter-remote:run-${action}`;
}
