import { nullTranslator } from '@jupyterlab/translation';

import type { Host, Run } from '../api/models';
import { patternOf, patternsIn, within, workspaceOf } from '../elsewhere/paths';
import { Endings, endWords } from '../elsewhere/endings';
import { counts, countWords } from '../elsewhere/counts';
import { Store } from '../state/store';

const trans = nullTranslator.load('');

function run(id: string, state: Run['state'], more: Partial<Run> = {}): Run {
  return { id, state, host: 'dgx01', deleted: false, started: 100, ended: null, seconds: null, label: null, command: '%%remote dgx01', source: 'train()', ...more } as Run;
}

describe('notices', () => {
  it('tell of a run once, when it was seen to go on, has ended, and took long', () => {
    const endings = new Endings();
    expect(endings.look([run('a', 'running'), run('b', 'queued'), run('c', 'finished', { seconds: 500 })], 60)).toEqual([]);
    const now = [run('a', 'finished', { seconds: 61 }), run('b', 'failed', { seconds: 59 }), run('c', 'finished', { seconds: 500 })];
    expect(endings.look(now, 60).map(({ id }) => id)).toEqual(['a']);
    expect(endings.look(now, 60)).toEqual([]);
  });

  it('know how long it took when only its times are known', () => {
    const endings = new Endings();
    endings.look([run('a', 'running')], 60);
    expect(endings.look([run('a', 'lost', { ended: 190 })], 60)).toHaveLength(1);
  });

  it('say what it ran', () => {
    expect(endWords(run('a', 'failed', { seconds: 90 }), trans)).toBe('dgx01 · failed · 1 min 30 s · train()');
    expect(endWords(run('a', 'finished', { seconds: 90, label: 'x'.repeat(80) }), trans)).toMatch(/· x{59}…$/);
  });
});

describe('the status bar', () => {
  it('counts what goes on and what is down', () => {
    const store = new Store();
    store.addRuns({ runs: [run('a', 'running'), run('b', 'finished'), run('c', 'queued'), run('d', 'running', { deleted: true })], next: null }, true);
    store.setHosts({ hosts: [{ name: 'x', state: 'down' } as Host, { name: 'y', state: 'connected' } as Host], groups: {}, problem: null });
    expect(counts(store)).toEqual({ runs: 2, down: ['x'] });
    expect(countWords(counts(store), trans)).toBe('2 runs · 1 host down');
    expect(countWords({ runs: 0, down: [] }, trans)).toBe('');
  });
});

describe('files', () => {
  const file = { path: 'p/data/x.csv', folder: false };

  it('belong to the workspace of the nearest open notebook above them', () => {
    expect(workspaceOf([file], ['p/N.ipynb', 'N.ipynb'], 'p/data')).toBe('p');
    expect(workspaceOf([file], ['N.ipynb'], 'p/data')).toBe('');
    expect(workspaceOf([file], ['other/N.ipynb'], 'p/data')).toBe('p/data');
    expect(workspaceOf([file], ['p/data/N.ipynb'], 'p/data')).toBe('p/data');
  });

  it('are named from there', () => {
    expect(within('p/data/x.csv', 'p')).toBe('data/x.csv');
    expect(within('p/data/x.csv', '')).toBe('p/data/x.csv');
    expect(within('pp/x.csv', 'p')).toBeNull();
    expect(within('p', 'p')).toBeNull();
  });

  it('are meant by patterns that mean nothing else', () => {
    expect(patternOf(file)).toBe('/p/data/x.csv');
    expect(patternOf({ path: 'out', folder: true })).toBe('/out/');
    expect(patternOf({ path: 'a [1]*.txt', folder: false })).toBe('/a\\ \\[1\\]\\*.txt');
    expect(patternsIn(' /a\\ b  *.png ')).toEqual(['/a\\ b', '*.png']);
  });
});
