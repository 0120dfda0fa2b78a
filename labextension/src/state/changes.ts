/** What the events of the server do to what is known: values in, values out. */
import type { Gpu, Run, Sample, SampleChange } from '../api/models';

/** A sample with a change applied; the same object where nothing is different. */
export function changedSample(before: Sample | null, change: SampleChange, whole: boolean): Sample {
  if (whole || before === null) {
    return { ...EMPTY, ...(whole ? {} : before), ...change, gpus: (change.gpus ?? []) as Gpu[] };
  }
  const gpus = change.gpus === undefined ? before.gpus : changedGpus(before.gpus, change.gpus);
  return { ...before, ...change, gpus };
}

function changedGpus(before: Gpu[], changes: NonNullable<SampleChange['gpus']>): Gpu[] {
  const byIndex = new Map(changes.map(change => [change.index, change]));
  const kept = before.map(gpu => {
    const change = byIndex.get(gpu.index);
    byIndex.delete(gpu.index);
    return change === undefined ? gpu : ({ ...gpu, ...change } as Gpu);
  });
  return [...kept, ...([...byIndex.values()] as Gpu[])];
}

const EMPTY: Sample = {
  time: 0,
  cpu_count: null,
  cpu: null,
  load: null,
  memory: null,
  gpus: [],
  gpu_error: null
};

/** Puts a run into a list that is ordered by id, newest first. The list is changed. */
export function insertRun(ids: string[], id: string): void {
  let low = 0;
  let high = ids.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ids[middle] > id) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (ids[low] !== id) {
    ids.splice(low, 0, id);
  }
}

/** The words that a filter looks at. */
export function runMatches(run: Run, words: string): boolean {
  if (words === '') {
    return true;
  }
  const text = [run.id, run.host, run.state, run.label, run.command, run.notebook, run.campaign, run.source].join('\n').toLowerCase();
  return words
    .toLowerCase()
    .split(/\s+/)
    .every(word => text.includes(word));
}
