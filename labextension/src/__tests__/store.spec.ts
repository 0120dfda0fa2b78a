/** What is known, and who is told of changes. */
import type { Host, Hosts, Operation, Run, Sample } from '../api/models';
import { changedSample, insertRun, runMatches } from '../state/changes';
import { Emitter } from '../state/emitter';
import { Store } from '../state/store';
import { Topics } from '../state/topics';
import { recall, remember } from '../state/memory';

const sample = (time: number, use = 0): Sample =>
  ({ time, cpu: 5, gpus: [{ index: '0', use }, { index: '1', use: 9 }] }) as unknown as Sample;
const host = (name: string, more: Partial<Host> = {}): Host =>
  ({ name, kind: 'ssh', groups: [], state: 'connected', sessions: [], runs: 0, sample: null, ...more }) as Host;
const run = (id: string, more: Partial<Run> = {}): Run => ({ id, host: 'h', state: 'running', deleted: false, metrics: {}, ...more }) as Run;
const hosts = (...all: Host[]): Hosts => ({ hosts: all, groups: {}, problem: null });

let flush: (() => void)[];
let store: Store;
let told: string[];

beforeEach(() => {
  flush = [];
  told = [];
  store = new Store(new Emitter(later => void flush.push(later)));
});

function tellOf(...keys: string[]): void {
  keys.forEach(key => store.on(key, () => told.push(key)));
}

function tick(): string[] {
  flush.splice(0).forEach(one => one());
  return told.splice(0);
}

test('a burst of samples is told once, and to that host alone', () => {
  store.setHosts(hosts(host('a'), host('b')));
  tick();
  tellOf('sample:a', 'sample:b', 'host:a', 'hosts', 'runs');
  for (let i = 1; i <= 50; i++) {
    store.hear({ subject: 'sample', host: 'a', whole: i === 1, sample: sample(i) } as never);
  }
  expect(tick()).toEqual(['sample:a']);
  expect(store.sample('a')!.time).toBe(50);
});

test('a change of a sample leaves the cards that are the same', () => {
  const before = sample(1, 10);
  const after = changedSample(before, { time: 2, gpus: [{ index: '0', use: 20 }] } as never, false);
  expect(after.gpus.map(gpu => gpu.use)).toEqual([20, 9]);
  expect(after.gpus[1]).toBe(before.gpus[1]);
  expect(after.cpu).toBe(5);
  expect(changedSample(after, { time: 3 } as never, false).gpus).toBe(after.gpus);
});

test('runs are kept newest first, whatever order they come in', () => {
  const ids: string[] = [];
  for (const id of ['2', '5', '1', '5', '3', '4']) {
    insertRun(ids, id);
  }
  expect(ids).toEqual(['5', '4', '3', '2', '1']);
});

test('a metric that changes is told of the run and not of the list', () => {
  store.addRuns({ runs: [run('1')], next: null }, true);
  tick();
  tellOf('runs', 'run:1');
  store.hear({ subject: 'run', seq: 1, id: '1', run: run('1', { metrics: { loss: 1 } }) } as never);
  expect(tick()).toEqual(['run:1']);
  store.hear({ subject: 'run', seq: 2, id: '1', run: run('1', { state: 'finished' }) } as never);
  expect(tick().sort()).toEqual(['run:1', 'runs']);
  const before = store.runIds;
  store.hear({ subject: 'run', seq: 3, id: '1', run: run('1', { state: 'finished', deleted: true }) } as never);
  expect(store.runIds).not.toBe(before); // or a list that is drawn would keep it
  store.hear({ subject: 'run', seq: 4, id: '1', run: null } as never);
  expect(store.runIds).toEqual([]);
});

test('a hello that resumes keeps all, one that does not replaces hosts and questions', () => {
  store.setHosts(hosts(host('a')));
  store.hear({ subject: 'prompt', seq: 1, id: 'p', prompt: { id: 'p' } } as never);
  store.hear({ subject: 'hello', seq: 1, server: 's', resumed: true } as never);
  expect(store.prompts).toHaveLength(1);
  store.hear({ subject: 'hello', seq: 9, server: 't', resumed: false, hosts: hosts(host('b')), operations: [], prompts: [] } as never);
  expect(store.hostNames).toEqual(['b']);
  expect(store.prompts).toEqual([]);
});

test('an answer that an event has overtaken does not bring an operation back to life', () => {
  const operation = (ended: number | null) => ({ id: 'o', host: 'a', run: null, state: ended ? 'done' : 'running', ended }) as Operation;
  store.setOperation(operation(5));
  store.setOperation(operation(null));
  expect(store.operation('o')!.state).toBe('done');
});

test('a host that is removed is gone', () => {
  store.setHosts(hosts(host('a'), host('b')));
  store.hear({ subject: 'host', seq: 1, name: 'a', host: null } as never);
  expect(store.hostNames).toEqual(['b']);
  store.hear({ subject: 'host', seq: 2, name: 'aa', host: host('aa') } as never);
  expect(store.hostNames).toEqual(['aa', 'b']);
});

test('remembered hosts come back with their gauges, and none is called connected', () => {
  remember('/x/', hosts(host('a', { sample: sample(3) })));
  const known = recall('/x/')!;
  expect(known.hosts[0].state).toBe('unknown');
  expect(known.hosts[0].sample!.time).toBe(3);
  expect(recall('/other/')).toBeNull();
  localStorage.setItem('jupyter-remote:hosts:/x/', 'no json');
  expect(recall('/x/')).toBeNull();
});

test('a topic is subscribed to once for all who need it, and anew after each hello', () => {
  const said: unknown[] = [];
  const topics = new Topics(message => said.push(message));
  const end = topics.need('samples:a');
  const other = topics.need('samples:a');
  let lines = 3;
  topics.need('output:r1', () => lines);
  expect(said).toEqual([{ subscribe: ['samples:a'] }, { subscribe: ['output:r1'], lines: { r1: 3 } }]);
  end();
  end();
  expect(said).toHaveLength(2);
  lines = 90;
  topics.sayAll();
  expect(said[2]).toEqual({ subscribe: ['samples:a', 'output:r1'], lines: { r1: 90 } });
  other();
  expect(said[3]).toEqual({ unsubscribe: ['samples:a'] });
});

test('a filter looks at all words', () => {
  const one = run('20261122-014500-7f3a', { label: 'Big sweep', host: 'gpu1' });
  expect(runMatches(one, 'sweep gpu1')).toBe(true);
  expect(runMatches(one, 'sweep gpu2')).toBe(false);
});
