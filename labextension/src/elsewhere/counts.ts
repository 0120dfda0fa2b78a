/** What the status bar tells, and that in words. No DOM. */
import type { TranslationBundle } from '@jupyterlab/translation';

import { ONGOING } from '../api/models';
import type { Store } from '../state/store';

/** What the item counts. */
export interface ICounts {
  readonly runs: number;
  readonly down: readonly string[];
}

/** Counts what the store knows. */
export function counts(store: Store): ICounts {
  let runs = 0;
  for (const id of store.runIds) {
    const run = store.run(id);
    if (run && ONGOING.has(run.state) && !run.deleted) {
      runs += 1;
    }
  }
  return { runs, down: store.hostNames.filter(name => store.host(name)?.state === 'down') };
}

/** The counts in words; empty when there is nothing to tell. */
export function countWords({ runs, down }: ICounts, trans: TranslationBundle): string {
  const words: string[] = [];
  if (runs > 0) {
    words.push(trans._n('%1 run', '%1 runs', runs));
  }
  if (down.length > 0) {
    words.push(trans._n('%1 host down', '%1 hosts down', down.length));
  }
  return words.join(' · ');
}
