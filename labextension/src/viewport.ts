/** Which rows of a long list are in sight, and where they go. Pure. */

/** The tallest box that all browsers place exactly (Firefox stops at 17.8 million pixels). */
export const TALLEST_PX = 16_000_000;

export interface IWindow {
  /** The first row to draw. */
  first: number;
  /** One past the last row to draw. */
  last: number;
  /** Where the first row goes, in pixels from the top of the box. */
  offset: number;
}

/** The height of the box that is scrolled. */
export function boxHeight(count: number, rowHeight: number): number {
  return Math.min(count * rowHeight, TALLEST_PX);
}

/**
 * The rows in sight and a few beside.
 *
 * A list too tall for a browser is scrolled in a box of {@link TALLEST_PX}: then a pixel of the scroll bar is more
 * than a pixel of the list, and both ends are reached all the same.
 */
export function visible(scrollTop: number, height: number, rowHeight: number, count: number, beside = 8): IWindow {
  const box = boxHeight(count, rowHeight);
  const real = count * rowHeight;
  const top = listTop(scrollTop, height, real, box);
  const first = clamp(Math.floor(top / rowHeight) - beside, 0, Math.max(0, count - 1));
  const last = clamp(Math.ceil((top + height) / rowHeight) + beside, first, count);
  return { first, last, offset: scrollTop + (first * rowHeight - top) };
}

/** The scroll position that shows a row at the top of the sight; the end is shown whole. */
export function scrollTo(row: number, height: number, rowHeight: number, count: number): number {
  const box = boxHeight(count, rowHeight);
  const real = count * rowHeight;
  const most = Math.max(0, real - height);
  const top = clamp(row * rowHeight, 0, most);
  return real <= box || most === 0 ? top : (top / most) * Math.max(0, box - height);
}

function listTop(scrollTop: number, height: number, real: number, box: number): number {
  if (real <= box) {
    return clamp(scrollTop, 0, Math.max(0, real - height));
  }
  const share = clamp(scrollTop / Math.max(1, box - height), 0, 1);
  return share * (real - height);
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}
