/** The names of the commands about notebooks and their cells. */
export namespace NotebookCommandIDs {
  /** Runs the active cell on `{host}`, else on the notebook's own. */
  export const runCell = 'jupyter-remote:cell-run';
  /** Opens the menu of hosts for the active cell. */
  export const runCellOn = 'jupyter-remote:cell-run-on';
  /** Shows the run of the active cell. */
  export const openCellRun = 'jupyter-remote:cell-open-run';
  /** Shows in the active cell what its run prints. */
  export const attachCell = 'jupyter-remote:cell-attach';
  /** Moves the focus to the toolbar's choice of a host; with `{host}` it chooses that one. */
  export const chooseHost = 'jupyter-remote:notebook-host';
}
