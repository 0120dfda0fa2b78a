/** React's way to the store and to the time. */
import { CommandRegistry } from '@lumino/commands';
import { TranslationBundle } from '@jupyterlab/translation';
import { createContext, useCallback, useContext, useEffect, useState, useSyncExternalStore } from 'react';

import type { RemoteState } from './state/remote';

/** What every component of this extension needs. */
export interface IUi {
  state: RemoteState;
  commands: CommandRegistry;
  trans: TranslationBundle;
}

export const UiContext = createContext<IUi | null>(null);

/** The surroundings of a component. */
export function useUi(): IUi {
  const ui = useContext(UiContext);
  if (!ui) {
    throw new Error('A component of jupyter-remote is outside of its context');
  }
  return ui;
}

/** A value of the store, and a new picture when its key has changed. `read` gives the same object while it is so. */
export function useStore<T>(key: string, read: () => T): T {
  const { store } = useUi().state;
  const subscribe = useCallback((changed: () => void) => store.on(key, changed), [store, key]);
  return useSyncExternalStore(subscribe, read);
}

/** Seconds since the epoch, new every second while `ticking`. */
export function useNow(ticking: boolean): number {
  const [now, setNow] = useState(() => Date.now() / 1000);
  useEffect(() => {
    if (!ticking) {
      return;
    }
    setNow(Date.now() / 1000);
    const timer = window.setInterval(() => {
      if (!document.hidden) {
        setNow(Date.now() / 1000);
      }
    }, 1000);
    return () => window.clearInterval(timer);
  }, [ticking]);
  return now;
}
