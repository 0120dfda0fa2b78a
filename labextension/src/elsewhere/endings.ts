/** Which runs have ended, and that in words. No DOM. */
import type { TranslationBundle } from '@jupyterlab/translation';

import type { Run, State } from '../api/models';
import { ONGOING } from '../api/models';
import { duration, runTitle, stateWord } from '../words';

/** Finds the runs that were seen to go on and have ended since. */
export class Endings {
  /**
   * Takes the runs as they are known now.
   *
   * @returns those that ended since the last time and took at least so many seconds.
   */
  look(runs: Iterable<Run>, seconds: number): Run[] {
    const ended: Run[] = [];
    for (const run of runs) {
      const before = this.states.get(run.id);
      if (ONGOING.has(run.state)) {
        this.states.set(run.id, run.state);
      } else if (before !== undefined) {
        this.states.delete(run.id);
        if (!run.deleted && took(run) >= seconds) {
          ended.push(run);
        }
      }
    }
    return ended;
  }

  private readonly states = new Map<string, State>();
}

function took(run: Run): number {
  return run.seconds ?? (run.ended !== null && run.started !== null ? run.ended - run.started : 0);
}

/** One line on how a run ended. */
export function endWords(run: Run, trans: TranslationBundle): string {
  // What it ran says more than the magic's line.
  const title = runTitle(run.source ? { ...run, command: null } : run);
  const name = title.length > 60 ? `${title.slice(0, 59)}…` : title;
  return `${run.host} · ${stateWord(run.state, trans)} · ${duration(took(run))} · ${name}`;
}
