/** Which of several values is the best. Pure. */

/** Metrics of which less is better, by the words in their names. */
const LESS = /loss|err(or)?\b|(^|[_.])(mae|mse|rmse|ppl|wer|cer|fid|nll)([_.]|$)|perplexity|latency|seconds|(^|[_.])times?([_.]|$)|memory|divergence/i;

/** Whether less of this metric is better. */
export function lessIsBetter(name: string): boolean {
  return LESS.test(name);
}

/** The indexes of the best values; none where fewer than two can be compared, or all are the same. */
export function best(values: readonly unknown[], less: boolean): ReadonlySet<number> {
  const numbers = values.map(value => (typeof value === 'number' && Number.isFinite(value) ? value : null));
  const known = numbers.filter(value => value !== null);
  if (known.length < 2 || known.every(value => value === known[0])) {
    return new Set();
  }
  const wanted = less ? Math.min(...known) : Math.max(...known);
  return new Set(numbers.flatMap((value, index) => (value === wanted ? [index] : [])));
}
