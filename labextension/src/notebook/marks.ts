/**
 * What a cell and a notebook say of hosts and runs in their metadata, and what outputs say. No DOM.
 *
 * A notebook may come from anywhere, so nothing in it is believed without a look.
 */
import type { State } from '../api/models';
import { namesHosts } from './source';

/** The one key that is ours, in the metadata of outputs, cells and notebooks. */
export const KEY = 'jupyter_remote';

/** A run that a cell was executed as. */
export interface IMark {
  readonly host: string;
  readonly run: string;
  /** As it was last heard of here. */
  readonly state: State;
}

const RUN_ID = /^\d{8}-\d{6}-[0-9a-f]{4,16}$/;
const RANK: Readonly<Record<string, number>> = { queued: 0, starting: 1, running: 2, finished: 3, failed: 3, stopped: 3, lost: 3 };
/** More runs in one cell are not shown. */
const MOST = 64;

/** The mark in a value of metadata, or null where there is none that can be understood. */
export function markOf(value: unknown): IMark | null {
  const { host, run, state } = (value ?? {}) as Record<string, unknown>;
  if (!namesHosts(host) || typeof run !== 'string' || !RUN_ID.test(run)) {
    return null;
  }
  return { host, run, state: typeof state === 'string' && Object.hasOwn(RANK, state) ? (state as State) : 'lost' };
}

/** The marks in the metadata of outputs, in their order. */
export function marksOfOutputs(metadata: Iterable<unknown>): IMark[] {
  let marks: IMark[] = [];
  for (const one of metadata) {
    const mark = markOf((one as Record<string, unknown> | null)?.[KEY]);
    if (mark) {
      marks = merged(marks, [mark]);
    }
  }
  return marks;
}

/** The marks in a cell's metadata. */
export function marksOfCell(value: unknown): IMark[] {
  const runs = (value as { runs?: unknown } | null | undefined)?.runs;
  return Array.isArray(runs) ? runs.slice(0, MOST).flatMap(run => markOf(run) ?? []) : [];
}

/** Both lists in one, each run once; of two states the later one in a run's life. The first list when nothing is new. */
export function merged(known: IMark[], found: readonly IMark[]): IMark[] {
  let marks = known;
  for (const mark of found) {
    const at = marks.findIndex(other => other.run === mark.run);
    if (at < 0) {
      marks = marks.length < MOST ? [...marks, mark] : marks;
    } else if (RANK[mark.state] > RANK[marks[at].state]) {
      marks = marks.map((other, index) => (index === at ? mark : other));
    }
  }
  return marks;
}

/** What a cell's metadata keeps of its marks. */
export function cellValue(marks: readonly IMark[]): { runs: { host: string; run: string; state: string }[] } {
  return { runs: marks.map(({ host, run, state }) => ({ host, run, state })) };
}

/** The default host in a notebook's metadata, or null. */
export function hostOf(value: unknown): string | null {
  const host = (value as { host?: unknown } | null | undefined)?.host;
  return namesHosts(host) ? host : null;
}

/** A notebook's metadata with another default host; undefined where nothing of ours is left. */
export function withHost(value: unknown, host: string | null): Record<string, unknown> | undefined {
  const now: Record<string, unknown> = typeof value === 'object' && value !== null ? { ...value } : {};
  delete now.host;
  if (host !== null) {
    now.host = host;
  }
  return Object.keys(now).length > 0 ? now : undefined;
}

/** Whether a run that some machine started as this notebook was started from the one of this path. */
export function isOfNotebook(runNotebook: string | null, path: string): boolean {
  if (runNotebook === null || path === '') {
    return false;
  }
  const there = runNotebook.replace(/\\/g, '/');
  return there === path || there.endsWith(`/${path}`);
}
