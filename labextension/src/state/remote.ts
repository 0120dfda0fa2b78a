/** The state of the extension: what is known, the socket that keeps it current, and the ways to ask for more. */
import { ServerConnection } from '@jupyterlab/services';
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import { ApiError, RemoteClient } from '../api/client';
import { ConnectionState, EventSocket, IEventsOptions } from '../api/events';
import type { Hosts, Operation, OutputEvent, RunQuery, Runs, ServerMessage } from '../api/models';
import { recall, remember } from './memory';
import { Store } from './store';
import { Topics } from './topics';

/** Runs that are read at once. */
const PAGE = 200;

/** One for all plugins of a page. */
export class RemoteState implements IDisposable {
  constructor(settings?: ServerConnection.ISettings, options: Partial<IEventsOptions> = {}) {
    this.client = new RemoteClient(settings);
    this.socket = new EventSocket({ url: (since, server) => this.client.eventsUrl(since, server), ...options });
    this.topics = new Topics(message => this.socket.send(message));
    const known = recall(this.client.settings.baseUrl);
    if (known) {
      this.store.setHosts(known, false);
    }
    this.socket.message.connect((_, message) => this.hear(message));
    this.store.on('hosts', () => this.keep());
  }

  readonly client: RemoteClient;
  readonly store = new Store();
  readonly socket: EventSocket;
  readonly topics: Topics;

  /** Whether the server extension answers; false until it has. */
  get available(): boolean {
    return this._available;
  }

  get availableChanged(): ISignal<this, boolean> {
    return this._availableChanged;
  }

  get connection(): ConnectionState {
    return this.socket.state;
  }

  /** News of the outputs that the page has subscribed to. */
  get output(): ISignal<this, OutputEvent> {
    return this._output;
  }

  get isDisposed(): boolean {
    return this.socket.isDisposed;
  }

  /** Asks whether the server extension is there, and follows it if so. Doesn't throw. */
  async start(): Promise<void> {
    try {
      const hosts = await this.client.hosts();
      this.store.setHosts(hosts);
      this.setAvailable(true);
      this.socket.start();
    } catch (error) {
      this.setAvailable(false);
      this.store.problem = error instanceof ApiError ? error.problem : null;
    }
  }

  /** Reads the newest runs, or the page after the oldest that is known. */
  async readRuns(query: RunQuery = {}): Promise<Runs> {
    const page = await this.client.runs({ limit: PAGE, ...query });
    this.store.addRuns(page, false);
    return page;
  }

  /** Hosts and runs anew. */
  async refresh(): Promise<void> {
    const [hosts] = await Promise.all([this.client.hosts(), this.readRuns()]);
    this.store.setHosts(hosts);
  }

  /** Waits for the end of an operation that was started; its errors are in what comes back. */
  async ended(operation: Operation): Promise<Operation> {
    this.store.setOperation(operation);
    let known = this.store.operation(operation.id) ?? operation;
    while (known.ended === null) {
      await new Promise<void>(resolve => {
        const end = this.store.on('operations', () => {
          end();
          resolve();
        });
      });
      known = this.store.operation(operation.id) ?? { ...known, state: 'cancelled', ended: Date.now() / 1000 };
    }
    return known;
  }

  dispose(): void {
    this.socket.dispose();
    Signal.clearData(this);
  }

  private hear(message: ServerMessage): void {
    this.store.hear(message);
    if (message.subject === 'hello') {
      this.setAvailable(true);
      this.topics.sayAll();
      if (!message.resumed) {
        void this.readRuns().catch(() => undefined);
        this.keep();
      }
    } else if (message.subject === 'output') {
      this._output.emit(message);
    }
  }

  private keep(): void {
    if (this.store.fresh) {
      const snapshot: Hosts = this.store.snapshot();
      remember(this.client.settings.baseUrl, snapshot);
    }
  }

  private setAvailable(value: boolean): void {
    if (this._available !== value) {
      this._available = value;
      this._availableChanged.emit(value);
    }
  }

  private _available = false;
  private _availableChanged = new Signal<this, boolean>(this);
  private _output = new Signal<this, OutputEvent>(this);
}
