/** A run's output in a cell without any kernel: what the server has of it, again and again until its end. */
import { CodeCell } from '@jupyterlab/cells';

import type { OutputEvent, State } from '../api/models';
import type { RemoteState } from '../state/remote';

type Outputs = Parameters<CodeCell['model']['outputs']['fromJSON']>[0];

/** The whole area is drawn anew each time. */
const SHORTEST_MS = 500;
/** In case that an event is lost. */
const LONGEST_MS = 10_000;

/**
 * Shows a run in a cell until its end, or until the cell does something else.
 *
 * @param going says whether to go on.
 * @returns how the run ended, or null where it was left.
 * @throws ApiError the server can't say.
 */
export async function followIn(cell: CodeCell, run: string, state: RemoteState, going: () => boolean): Promise<State | null> {
  const topic = state.topics.need(`output:${run}`);
  let shown = '';
  try {
    for (;;) {
      const said = await state.client.cellOutputs(run);
      if (cell.isDisposed || !going()) {
        return null;
      }
      const text = JSON.stringify(said.outputs);
      if (text !== shown) {
        shown = text;
        cell.model.outputs.fromJSON(said.outputs as unknown as Outputs);
      }
      if (said.complete) {
        return said.state;
      }
      await news(state, run);
    }
  } finally {
    topic();
  }
}

/** Waits for news of the run's output, and never returns at once. */
async function news(state: RemoteState, run: string): Promise<void> {
  const begun = Date.now();
  await new Promise<void>(resolve => {
    const heard = (_: unknown, event: OutputEvent) => {
      if (event.run === run) {
        end();
      }
    };
    const end = () => {
      clearTimeout(timer);
      state.output.disconnect(heard);
      resolve();
    };
    const timer = setTimeout(end, LONGEST_MS);
    state.output.connect(heard);
  });
  const rest = SHORTEST_MS - (Date.now() - begun);
  if (rest > 0) {
    await new Promise(resolve => setTimeout(resolve, rest));
  }
}
