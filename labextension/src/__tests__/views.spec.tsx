/** Small things of the views: words, choices, keys of the tree, curves, tables of files. */
import type { Run } from '../api/models';
import { grouped } from '../commands/refusals';
import { choose } from '../panel/selection';
import { treeKey } from '../panel/treeKeys';
import { path, range, ticks } from '../plots/scale';
import { rows } from '../run/csv';
import { bytes, duration, elapsed, metricWords, number, runTitle } from '../words';

test('sizes, times and numbers in words', () => {
  expect([0, 999, 1024, 1536, 34 * 1024 ** 3, null].map(bytes)).toEqual(['0 B', '999 B', '1K', '1.5K', '34G', '–']);
  expect([0.04, 9.99, 59.4, 60, 200, 3600, 7500, 90_000].map(duration)).toEqual([
    '0.0 s', '10.0 s', '59 s', '1 min', '3 min 20 s', '1 h', '2 h 5 min', '1 d 1 h'
  ]);
  expect([3, 0.123456, 1.5e-7, NaN, 'nan', -Infinity, null].map(number)).toEqual(['3', '0.1235', '1.500e-7', 'nan', 'nan', '-inf', '–']);
});

test('a run is called by its label, else by its first line of code', () => {
  const run = { id: 'i', label: null, command: null, source: '%%remote gpu1\n\n train(3)\n', metrics: { loss: 0.5, acc: 1, lr: 2 } } as unknown as Run;
  expect(runTitle(run)).toBe('train(3)');
  expect(runTitle({ ...run, label: 'big' })).toBe('big');
  expect(runTitle({ ...run, source: null })).toBe('i');
  expect(metricWords(run)).toBe('loss 0.5 · acc 1');
});

test('the time of a run goes on until it ends', () => {
  const run = { started: 100, ended: null, seconds: null, state: 'running' } as Run;
  expect(elapsed(run, 130)).toBe(30);
  expect(elapsed({ ...run, state: 'finished', seconds: 7 }, 130)).toBe(7);
  expect(elapsed({ ...run, state: 'finished', ended: 105 }, 130)).toBe(5);
  expect(elapsed({ ...run, started: null, state: 'queued' }, 130)).toBeNull();
  expect(elapsed({ ...run, started: null, created: 90 }, 130)).toBe(40);
});

test('choosing one, one more, and a range', () => {
  const ids = ['a', 'b', 'c', 'd'];
  const one = choose(ids, new Set(), null, 'b', { range: false, toggle: false });
  expect([...one]).toEqual(['b']);
  expect([...choose(ids, one, 'b', 'd', { range: true, toggle: false })]).toEqual(['b', 'c', 'd']);
  expect([...choose(ids, one, 'b', 'b', { range: false, toggle: true })]).toEqual([]);
  const three = choose(ids, one, 'b', 'd', { range: true, toggle: false });
  expect([...choose(ids, three, 'b', 'a', { range: true, toggle: false })]).toEqual(['a', 'b']);
  expect([...choose(ids, new Set(['a']), 'c', 'd', { range: true, toggle: true })]).toEqual(['a', 'c', 'd']);
});

test('runs that were refused for the same reason are told together', () => {
  const problem = (message: string) => ({ message, hint: 'Wait.', kind: 'HostUnreachable' });
  const refused = ['1', '2', '3'].map(run => ({ run, host: run === '3' ? 'b' : 'a', problem: problem('it is down') }));
  expect(grouped([...refused, { run: '4', host: 'a', problem: problem('it goes on') }]).map(group => [group.host, group.message, group.runs])).toEqual([
    ['a', 'it is down', ['1', '2']],
    ['b', 'it is down', ['3']],
    ['a', 'it goes on', ['4']]
  ]);
});

test('the keys of a tree', () => {
  // eslint-disable-next-line no-restricted-properties -- written here
  document.body.innerHTML = `<ul role="tree"><li role="treeitem" data-id="host:a" aria-expanded="true" tabindex="0"><ul role="group">
    <li role="treeitem" data-id="run:1" tabindex="-1"></li></ul></li><li role="treeitem" data-id="host:b" aria-expanded="false" tabindex="-1"></li></ul>`;
  const tree = document.querySelector<HTMLElement>('[role=tree]')!;
  const done: unknown[] = [];
  const press = (key: string) => {
    const event = new KeyboardEvent('keydown', { key });
    Object.defineProperty(event, 'target', { value: document.activeElement });
    treeKey(tree, event, { expand: (...args) => done.push(args), activate: id => done.push(id) });
    return (document.activeElement as HTMLElement).dataset.id;
  };
  tree.querySelector<HTMLElement>('[role=treeitem]')!.focus();
  expect(press('ArrowRight')).toBe('run:1');
  expect(tree.querySelectorAll('[tabindex="0"]')).toHaveLength(1);
  expect(press('ArrowLeft')).toBe('host:a');
  expect(press('End')).toBe('host:b');
  press('ArrowRight');
  press('Enter');
  expect(press('ArrowUp')).toBe('run:1');
  expect(press('Home')).toBe('host:a');
  press('ArrowLeft');
  expect(done).toEqual([['host:b', true], 'host:b', ['host:a', false]]);
});

test('axes have round numbers, curves have gaps', () => {
  expect(ticks({ low: 0, high: 1 })).toEqual([0, 0.5, 1]);
  expect(ticks({ low: 13, high: 187 })).toEqual([50, 100, 150]);
  expect(ticks({ low: 1, high: 3 })).toEqual([1, 1.5, 2, 2.5, 3]);
  expect(ticks({ low: 1, high: 3 }, true)).toEqual([1, 2, 3]);
  expect(ticks({ low: 0.9, high: 1.1 }, true)).toEqual([1]);
  expect(range([null, 3, NaN, 1])).toEqual({ low: 1, high: 3 });
  expect(range([])).toEqual({ low: 0, high: 1 });
  expect(range([2]).low).toBeLessThan(2);
  const place = (x: number, y: number): [number, number] => [x, y];
  expect(path([0, 1, 2, 3], [5, 6, null, 7], place)).toBe('M0.0 5.0L1.0 6.0M3.0 7.0h0.01');
});

test('separated values with quotes', () => {
  expect(rows('a,b\r\n"x, ""y""\nz",2\n', ',', 9)).toEqual([['a', 'b'], ['x, "y"\nz', '2']]);
  expect(rows('1\n2\n3', ',', 2)).toEqual([['1'], ['2']]);
});
