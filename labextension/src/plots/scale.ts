/** From values to places in a picture, and the round numbers beside an axis. Pure. */

export interface IRange {
  low: number;
  high: number;
}

/** The range of the finite values; a little around a single one. */
export function range(values: Iterable<number | null>): IRange {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (value !== null && Number.isFinite(value)) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  if (low > high) {
    return { low: 0, high: 1 };
  }
  if (low === high) {
    const pad = Math.abs(low) * 0.1 || 1;
    return { low: low - pad, high: high + pad };
  }
  return { low, high };
}

/** About `count` round numbers inside of a range; whole ones only where there is nothing between. */
export function ticks({ low, high }: IRange, whole = false, count = 4): number[] {
  const rough = (high - low) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const round = [1, 2, 5, 10].map(factor => factor * power).find(one => one >= rough) ?? rough;
  const step = whole ? Math.max(1, round) : round;
  const found: number[] = [];
  for (let at = Math.ceil(low / step) * step; at <= high + step * 1e-9; at += step) {
    found.push(Number(at.toPrecision(12)));
  }
  return found;
}

/** The `d` of an SVG path; values that are no numbers leave gaps, a lone one is a dot. */
export function path(
  xs: readonly (number | null)[],
  ys: readonly (number | null)[],
  place: (x: number, y: number) => [number, number]
): string {
  let d = '';
  let pen = false;
  let alone = false;
  for (let i = 0; i < ys.length; i++) {
    const [x, y] = [xs[i], ys[i]];
    if (x === null || y === null || x === undefined || !Number.isFinite(y)) {
      d += alone ? 'h0.01' : '';
      pen = alone = false;
      continue;
    }
    const [px, py] = place(x, y);
    d += `${pen ? 'L' : 'M'}${px.toFixed(1)} ${py.toFixed(1)}`;
    alone = !pen;
    pen = true;
  }
  return d + (alone ? 'h0.01' : '');
}
