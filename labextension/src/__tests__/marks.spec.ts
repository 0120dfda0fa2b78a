import { cellValue, hostOf, IMark, isOfNotebook, markOf, marksOfCell, marksOfOutputs, merged, withHost } from '../notebook/marks';

const ONE: IMark = { host: 'dgx01', run: '20261122-014500-7f3a', state: 'running' };
const TWO: IMark = { host: 'dgx02', run: '20261122-014501-7f3b', state: 'finished' };

describe('a mark', () => {
  it('comes from the metadata of outputs, each run once and as it stands last', () => {
    const ended = { ...ONE, state: 'finished' };
    const outputs = [{}, null, { jupyter_remote: ONE }, { jupyter_remote: TWO }, { jupyter_remote: ended }, { other: ONE }];
    expect(marksOfOutputs(outputs)).toEqual([ended, TWO]);
  });

  it('never goes back in the life of a run', () => {
    const known = [TWO];
    expect(merged(known, [{ ...TWO, state: 'queued' }])).toBe(known);
    expect(merged(known, [{ ...TWO, state: 'failed' }])).toBe(known);
  });

  it('stays in the metadata of the cell', () => {
    expect(marksOfCell(JSON.parse(JSON.stringify(cellValue([ONE, TWO]))))).toEqual([ONE, TWO]);
  });

  it.each([
    undefined,
    null,
    3,
    'x',
    [],
    { host: 'a' },
    { host: 'a', run: '../../etc', state: 'running' },
    { host: 'a b', run: ONE.run, state: 'running' },
    { host: '<b>', run: ONE.run },
    { host: ['a'], run: ONE.run }
  ])('is not believed: %j', value => {
    expect(markOf(value)).toBeNull();
    expect(marksOfCell({ runs: [value] })).toEqual([]);
  });

  it('of a state that this version does not know is shown as lost', () => {
    expect(markOf({ ...ONE, state: 'dreaming' })?.state).toBe('lost');
    expect(markOf({ ...ONE, state: 'toString' })?.state).toBe('lost');
  });

  it('is one of at most 64', () => {
    const many = Array.from({ length: 100 }, (_, n) => ({ ...ONE, run: `20261122-014500-${(4096 + n).toString(16)}` }));
    expect(merged([], many)).toHaveLength(64);
    expect(marksOfCell({ runs: many })).toHaveLength(64);
  });
});

describe('the default host of a notebook', () => {
  it('is in its metadata', () => {
    expect(hostOf({ host: 'dgx01' })).toBe('dgx01');
    expect(hostOf({ host: '--bash' })).toBeNull();
    expect(hostOf(undefined)).toBeNull();
  });

  it('leaves what else is there', () => {
    expect(withHost({ other: 1 }, 'a')).toEqual({ other: 1, host: 'a' });
    expect(withHost({ other: 1, host: 'a' }, null)).toEqual({ other: 1 });
    expect(withHost({ host: 'a' }, null)).toBeUndefined();
    expect(withHost('nonsense', 'a')).toEqual({ host: 'a' });
  });
});

describe('a run belongs to a notebook', () => {
  it.each([
    ['/home/me/work/a/N.ipynb', 'a/N.ipynb', true],
    ['C:\\work\\a\\N.ipynb', 'a/N.ipynb', true],
    ['N.ipynb', 'N.ipynb', true],
    ['/home/me/work/aN.ipynb', 'N.ipynb', false],
    [null, 'N.ipynb', false],
    ['/x/', '', false]
  ])('%s is %s: %s', (there, path, same) => {
    expect(isOfNotebook(there, path)).toBe(same);
  });
});
