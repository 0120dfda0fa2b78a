/** What came of a request, told to the user. */
import { Notification } from '@jupyterlab/apputils';

import { ApiError } from '../api/client';
import type { Operation, Problem } from '../api/models';
import type { RemoteState } from '../state/remote';

/** A problem as one text: what happened, and what to do. */
export function problemText(problem: Pick<Problem, 'message' | 'hint'>): string {
  return problem.hint ? `${problem.message}\n${problem.hint}` : problem.message;
}

/** Tells of an error. */
export function tellError(error: unknown): void {
  const text = error instanceof ApiError ? problemText(error.problem) : String(error);
  Notification.error(text, { autoClose: 15_000 });
}

/**
 * Starts an operation and waits for its end; errors are told.
 *
 * @returns the operation that succeeded, or null.
 */
export async function carryOut(state: RemoteState, start: () => Promise<Operation>): Promise<Operation | null> {
  try {
    const operation = await state.ended(await start());
    if (operation.state === 'done') {
      return operation;
    }
    if (operation.state === 'failed' && operation.error) {
      Notification.error(problemText(operation.error), { autoClose: 15_000 });
    }
  } catch (error) {
    tellError(error);
  }
  return null;
}
