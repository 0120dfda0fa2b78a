/** The websocket: connected while the page is seen, resumed by number, made again with growing pauses. */
import { ISignal, Signal } from '@lumino/signaling';
import { IDisposable } from '@lumino/disposable';

import type { PageMessage, ServerMessage } from './models';

/** As much of a browser's WebSocket as is used. */
export interface ISocket {
  onopen: ((event: Event) => void) | null;
  onmessage: ((event: MessageEvent) => void) | null;
  onclose: ((event: CloseEvent) => void) | null;
  readonly readyState: number;
  send(data: string): void;
  close(): void;
}

/** What the socket needs of its surroundings, so that tests can bring their own. */
export interface IEventsOptions {
  /** The address for these, which are null the first time. */
  url(since: number | null, server: string | null): string;
  open?(url: string): ISocket;
  /** In [0, 1). */
  random?(): number;
  document?: Pick<Document, 'hidden' | 'addEventListener' | 'removeEventListener'>;
}

export type ConnectionState = 'connecting' | 'connected' | 'waiting' | 'hidden' | 'closed';

const OPEN = 1;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 30_000;
/** A page that is looked away from for a moment keeps its socket. */
const HIDE_AFTER_MS = 10_000;

/**
 * The pause before try number `tries` (from 0): doubled each time, and a random part of it taken off,
 * so that the pages of a server that was restarted don't all come at once.
 */
export function pauseMs(tries: number, random: number): number {
  const whole = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(tries, 20));
  return whole * (0.5 + random / 2);
}

/** The events of the server. */
export class EventSocket implements IDisposable {
  constructor(private readonly options: IEventsOptions) {
    this.document = options.document ?? document;
    this.document.addEventListener('visibilitychange', this.seen);
  }

  /** Every message, in the order of the server. */
  get message(): ISignal<this, ServerMessage> {
    return this._message;
  }

  get stateChanged(): ISignal<this, ConnectionState> {
    return this._stateChanged;
  }

  get state(): ConnectionState {
    return this._state;
  }

  get isDisposed(): boolean {
    return this._state === 'closed';
  }

  /** Connects, unless it already has. */
  start(): void {
    this.started = true;
    if (!this.socket && !this.isDisposed && !this.document.hidden) {
      this.connect();
    }
  }

  /** Says something, if anyone is there; whoever subscribes says it anew after each hello. */
  send(message: PageMessage): void {
    if (this.socket?.readyState === OPEN) {
      this.socket.send(JSON.stringify(message));
    }
  }

  /** Ends it for good. */
  dispose(): void {
    this.document.removeEventListener('visibilitychange', this.seen);
    this.drop();
    this.enter('closed');
    Signal.clearData(this);
  }

  private connect(): void {
    window.clearTimeout(this.timer);
    const open = this.options.open ?? (url => new WebSocket(url) as unknown as ISocket);
    const socket = open(this.options.url(this.seq, this.server));
    this.socket = socket;
    this.enter('connecting');
    socket.onmessage = event => {
      if (socket === this.socket) {
        this.hear(JSON.parse(event.data as string) as ServerMessage);
      }
    };
    socket.onclose = () => {
      if (socket === this.socket) {
        this.socket = null;
        this.again();
      }
    };
  }

  private hear(message: ServerMessage): void {
    if (message.subject === 'hello') {
      this.tries = 0;
      this.server = message.server;
      this.seq = message.seq;
      this.enter('connected');
    } else if ('seq' in message) {
      if (this.seq !== null && message.seq <= this.seq) {
        return; // told twice
      }
      this.seq = message.seq;
    }
    this._message.emit(message);
  }

  private again(): void {
    if (this.document.hidden) {
      this.enter('hidden');
      return;
    }
    this.enter('waiting');
    const pause = pauseMs(this.tries++, (this.options.random ?? Math.random)());
    this.timer = window.setTimeout(() => this.connect(), pause);
  }

  private drop(): void {
    window.clearTimeout(this.timer);
    window.clearTimeout(this.hideTimer);
    const socket = this.socket;
    this.socket = null;
    if (socket) {
      socket.onmessage = socket.onclose = socket.onopen = null;
      socket.close();
    }
  }

  private seen = (): void => {
    if (!this.started || this.isDisposed) {
      return;
    }
    window.clearTimeout(this.hideTimer);
    if (this.document.hidden) {
      this.hideTimer = window.setTimeout(() => {
        this.drop();
        this.enter('hidden');
      }, HIDE_AFTER_MS);
    } else if (!this.socket) {
      this.tries = 0;
      this.connect();
    }
  };

  private enter(state: ConnectionState): void {
    if (this._state !== state) {
      this._state = state;
      this._stateChanged.emit(state);
    }
  }

  private readonly document: Pick<Document, 'hidden' | 'addEventListener' | 'removeEventListener'>;
  private socket: ISocket | null = null;
  private seq: number | null = null;
  private server: string | null = null;
  private tries = 0;
  private timer = 0;
  private hideTimer = 0;
  private started = false;
  private _state: ConnectionState = 'hidden';
  private _message = new Signal<this, ServerMessage>(this);
  private _stateChanged = new Signal<this, ConnectionState>(this);
}
