/** Choosing from a list, as file managers do. Pure. */

/**
 * What is chosen after a click on `id`.
 *
 * @param anchor where the last choice without a range was, from which one goes.
 * @param how `range`: all up to there (Shift); `toggle`: the others stay as they are (Ctrl).
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
    const range = ids.slice(from, to + 1);
    return new Set(how.toggle ? [...chosen, ...range] : range);
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
