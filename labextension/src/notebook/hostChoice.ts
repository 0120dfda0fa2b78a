/** The default host of a notebook, in its metadata. */
import { NotebookPanel } from '@jupyterlab/notebook';

import type { Host } from '../api/models';
import type { RemoteState } from '../state/remote';
import { hostOf, KEY, withHost } from './marks';

/** The default host, or null. */
export function hostOfNotebook(panel: NotebookPanel): string | null {
  return hostOf(panel.content.model?.getMetadata(KEY));
}

/** Writes it down; the notebook is saved by whoever saves it. */
export function setHostOfNotebook(panel: NotebookPanel, host: string | null): void {
  const model = panel.content.model;
  if (!model || hostOfNotebook(panel) === host) {
    return;
  }
  const value = withHost(model.getMetadata(KEY), host);
  if (value === undefined) {
    model.deleteMetadata(KEY);
  } else {
    model.setMetadata(KEY, value);
  }
}

/** The hosts to choose from: the notebook's own first, then as the server has them. */
export function choices(state: RemoteState, own: string | null): string[] {
  return [...new Set([...(own === null ? [] : [own]), ...state.store.hostNames])];
}

/** How many GPUs of a host are free, as far as is known; null where it has none. */
export function freeGpus(host: Host | undefined, state: RemoteState): [free: number, all: number] | null {
  const gpus = (host && state.store.sample(host.name)?.gpus) ?? [];
  return gpus.length === 0 ? null : [gpus.filter(gpu => !gpu.leased && (gpu.use ?? 0) < 5 && gpu.who.length === 0).length, gpus.length];
}
