/** Who wants to know what: listeners by key, called at most once a frame. */

export type Listener = () => void;

/** Keyed listeners. A burst of changes becomes one call for each key. */
export class Emitter {
  /**
   * @param later calls a function soon; the next frame, as a rule.
   */
  constructor(private readonly later: (run: () => void) => void = soon) {}

  /** Calls `listener` after changes of `key`; returns what ends that. */
  on(key: string, listener: Listener): () => void {
    let listeners = this.listeners.get(key);
    if (!listeners) {
      this.listeners.set(key, (listeners = new Set()));
    }
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.listeners.get(key) === listeners) {
        this.listeners.delete(key);
      }
    };
  }

  /** Notes that something of this key has changed. */
  changed(key: string): void {
    if (this.dirty.size === 0) {
      this.later(() => this.flush());
    }
    this.dirty.add(key);
  }

  private flush(): void {
    const dirty = [...this.dirty];
    this.dirty.clear();
    for (const key of dirty) {
      for (const listener of [...(this.listeners.get(key) ?? [])]) {
        listener();
      }
    }
  }

  private readonly listeners = new Map<string, Set<Listener>>();
  private readonly dirty = new Set<string>();
}

/** The next frame; a hidden page has none, and then a moment later. */
function soon(run: () => void): void {
  let done = false;
  const once = () => {
    if (!done) {
      done = true;
      run();
    }
  };
  requestAnimationFrame(once);
  setTimeout(once, 100);
}
