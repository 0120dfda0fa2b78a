/** Choosing from a list, as file managers do. Pure. */

/**
 * What is chosen after a click on `id`.
 *
 * @param anchor where the last choice was, from which a range goes.
 */
export function choose(
  ids: readonly string[],
  chosen: ReadonlySet<string>,
  anchor: string | null,
  id: string,
  how: { range: boolean; toggle: boolean }
): ReadonlySet<string> {
  if (how.range && anchor !== null && ids.includes(anchor)) {
    const [from, to] = [ids.indexOf(anchor), ids.indexOf(id)].sort((a, b) => a - b);
    return new Set([...chosen, ...ids.slice(from, to + 1)]);
  }
  if (how.toggle) {
    const now = new Set(chosen);
    if (!now.delete(id)) {
      now.add(id);
    }
    return now;
  }
  return new Set([id]);
}
