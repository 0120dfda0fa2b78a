/** The hosts as a page before saw them, so that the next one has something to show at once. */
import type { Hosts } from '../api/models';

const KEY = 'jupyter-remote:hosts:';

/** Remembers the hosts of a server; nothing happens where the browser keeps nothing. */
export function remember(baseUrl: string, hosts: Hosts): void {
  try {
    localStorage.setItem(KEY + baseUrl, JSON.stringify(hosts));
  } catch {
    // Private windows and full stores: it is only for speed.
  }
}

/** The hosts that were remembered, none of them connected; or null. */
export function recall(baseUrl: string): Hosts | null {
  try {
    const text = localStorage.getItem(KEY + baseUrl);
    const known = text === null ? null : (JSON.parse(text) as Hosts);
    if (!known || !Array.isArray(known.hosts)) {
      return null;
    }
    return { ...known, hosts: known.hosts.map(host => ({ ...host, state: 'unknown', reason: null, sessions: [] })) };
  } catch {
    return null;
  }
}
