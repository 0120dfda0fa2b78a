/** Code that is executed in the place of a cell's own: the cell gets what comes of it, and its text stays. */
import { ISessionContext } from '@jupyterlab/apputils';
import { CodeCell } from '@jupyterlab/cells';

/**
 * Executes `code` as if the cell said that.
 *
 * @returns whether it went well; false too where the kernel was restarted meanwhile.
 */
export async function executeIn(cell: CodeCell, context: ISessionContext, code: string): Promise<boolean> {
  const kernel = context.session?.kernel;
  if (!kernel) {
    return false;
  }
  const model = cell.model;
  model.sharedModel.transact(
    () => {
      model.clearExecution();
      cell.outputHidden = false;
    },
    false,
    'silent-change'
  );
  model.executionState = 'running';
  model.trusted = true;
  model.deleteMetadata('execution'); // the times of another execution
  const metadata = { ...model.metadata, cellId: model.sharedModel.getId() };
  const future = kernel.requestExecute({ code, stop_on_error: true }, false, metadata);
  cell.outputArea.future = future;
  try {
    const reply = await future.done;
    model.executionCount = reply.content.execution_count;
    return reply.content.status === 'ok';
  } catch {
    // A kernel that was restarted or shut down: the cell shows how far it came.
    if (!cell.isDisposed && cell.outputArea.future === future) {
      model.executionState = 'idle';
    }
    return false;
  }
}
