/** The websocket: resume, back-off, a hidden page. */
import { EventSocket, ISocket, pauseMs } from '../api/events';
import type { ServerMessage } from '../api/models';

class FakeSocket implements ISocket {
  onopen: ISocket['onopen'] = null;
  onmessage: ISocket['onmessage'] = null;
  onclose: ISocket['onclose'] = null;
  readyState = 1;
  sent: unknown[] = [];
  closed = false;

  constructor(readonly url: string) {}

  send(data: string): void {
    this.sent.push(JSON.parse(data));
  }

  close(): void {
    this.closed = true;
  }

  say(message: object): void {
    this.onmessage!({ data: JSON.stringify(message) } as MessageEvent);
  }

  cut(): void {
    this.onclose!({} as CloseEvent);
  }
}

class Page {
  hidden = false;
  private listener: (() => void) | null = null;
  addEventListener = (_: string, listener: unknown) => void (this.listener = listener as () => void);
  removeEventListener = () => void (this.listener = null);

  show(hidden: boolean): void {
    this.hidden = hidden;
    this.listener?.();
  }
}

const hello = (seq: number, resumed = false) => ({ subject: 'hello', seq, server: 'S1', resumed });
const run = (seq: number) => ({ subject: 'run', seq, id: 'r', run: null });

let sockets: FakeSocket[];
let page: Page;
let events: EventSocket;
let heard: ServerMessage[];

beforeEach(() => {
  jest.useFakeTimers();
  sockets = [];
  page = new Page();
  heard = [];
  events = new EventSocket({
    url: (since, server) => `ws://x?since=${since}&server=${server}`,
    open: url => {
      sockets.push(new FakeSocket(url));
      return sockets[sockets.length - 1];
    },
    random: () => 1,
    document: page as unknown as Document
  });
  events.message.connect((_, message) => heard.push(message));
  events.start();
});

afterEach(() => {
  events.dispose();
  jest.useRealTimers();
});

test('it connects again with the last number that it has', () => {
  sockets[0].say(hello(7));
  sockets[0].say(run(8));
  sockets[0].say(run(9));
  sockets[0].cut();
  jest.advanceTimersByTime(60_000);
  expect(sockets.map(one => one.url)).toEqual(['ws://x?since=null&server=null', 'ws://x?since=9&server=S1']);
});

test('what is told twice is heard once', () => {
  sockets[0].say(hello(7));
  sockets[0].say(run(8));
  sockets[0].say(run(8));
  expect(heard).toHaveLength(2);
});

test('samples and outputs have no number and are all heard', () => {
  sockets[0].say(hello(7));
  for (let i = 0; i < 3; i++) {
    sockets[0].say({ subject: 'sample', host: 'h', whole: true, sample: {} });
  }
  expect(heard).toHaveLength(4);
});

test('a server that was started anew counts from its own start', () => {
  sockets[0].say(hello(700));
  sockets[0].say({ ...hello(2), server: 'S2' });
  sockets[0].say(run(3));
  expect(heard.map(message => message.subject)).toEqual(['hello', 'hello', 'run']);
});

test('the pauses grow, have a random part and an upper bound', () => {
  expect([0, 1, 2, 3].map(tries => pauseMs(tries, 1))).toEqual([250, 500, 1000, 2000]);
  expect(pauseMs(3, 0)).toBe(1000);
  expect(pauseMs(50, 1)).toBe(30_000);
});

test('while nobody answers it tries ever more rarely, and a hello starts over', () => {
  const tried = () => sockets.length;
  const pauses: number[] = [];
  for (let i = 0; i < 5; i++) {
    sockets[tried() - 1].cut();
    const before = tried();
    let waited = 0;
    while (tried() === before) {
      jest.advanceTimersByTime(50);
      waited += 50;
    }
    pauses.push(waited);
  }
  expect(pauses).toEqual([250, 500, 1000, 2000, 4000]);
  sockets[tried() - 1].say(hello(1));
  sockets[tried() - 1].cut();
  const before = tried();
  jest.advanceTimersByTime(250);
  expect(tried()).toBe(before + 1);
});

test('a hidden page closes its socket and tries nothing', () => {
  sockets[0].say(hello(4));
  page.show(true);
  jest.advanceTimersByTime(5_000);
  expect(sockets[0].closed).toBe(false);
  jest.advanceTimersByTime(6_000);
  expect(sockets[0].closed).toBe(true);
  expect(events.state).toBe('hidden');
  jest.advanceTimersByTime(3_600_000);
  expect(sockets).toHaveLength(1);
});

test('a page that is shown again resumes at once', () => {
  sockets[0].say(hello(4));
  page.show(true);
  jest.advanceTimersByTime(20_000);
  page.show(false);
  expect(sockets[1].url).toBe('ws://x?since=4&server=S1');
});

test('a page that is hidden for a moment keeps its socket', () => {
  sockets[0].say(hello(4));
  page.show(true);
  jest.advanceTimersByTime(1_000);
  page.show(false);
  jest.advanceTimersByTime(60_000);
  expect(sockets).toHaveLength(1);
  expect(sockets[0].closed).toBe(false);
});

test('a cut while hidden is not mended before the page is shown', () => {
  sockets[0].say(hello(4));
  page.show(true);
  sockets[0].cut();
  jest.advanceTimersByTime(3_600_000);
  expect(sockets).toHaveLength(1);
  page.show(false);
  expect(sockets).toHaveLength(2);
});

test('after dispose nothing happens any more', () => {
  events.dispose();
  page.show(false);
  jest.advanceTimersByTime(60_000);
  expect(sockets).toHaveLength(1);
  expect(sockets[0].closed).toBe(true);
});
