/** Hosts, runs, operations and questions as the server last told of them. */
import type { Host, Hosts, Operation, OutputEvent, Problem, Prompt, Run, Runs, Sample, ServerMessage } from '../api/models';
import { Belongings } from './belongings';
import { changedSample, insertRun } from './changes';
import { Emitter, Listener } from './emitter';

/** Operations that ended stay this long, for whoever shows what came of them. */
const OPERATIONS_KEPT = 100;

/**
 * The one place where the page's knowledge is kept. Objects are replaced and never changed, so identity tells
 * whether something is new.
 *
 * Keys for {@link on}: `hosts` (which there are), `host:NAME`, `sample:NAME`, `runs` (which there are),
 * `run:ID`, `operations`, `prompts`, `problem`, and those of {@link Belongings}.
 */
export class Store {
  constructor(private readonly emitter = new Emitter()) {
    this.belongings = new Belongings(emitter);
  }

  /** Calls back after changes of a key, at most once a frame; returns what ends that. */
  on(key: string, listener: Listener): () => void {
    return this.emitter.on(key, listener);
  }

  /** Campaigns, environments, forwards. */
  readonly belongings: Belongings;

  /** Whether the hosts come from the server, and not from what was remembered. */
  fresh = false;

  /** Names in the server's order. */
  get hostNames(): readonly string[] {
    return this._hostNames;
  }

  get groups(): Readonly<Record<string, string[]>> {
    return this._groups;
  }

  /** Why the configuration or the server can't be used. */
  get problem(): Problem | null {
    return this._problem;
  }

  set problem(value: Problem | null) {
    if (value?.message !== this._problem?.message) {
      this._problem = value;
      this.emitter.changed('problem');
    }
  }

  host(name: string): Host | undefined {
    return this.hosts.get(name);
  }

  sample(name: string): Sample | null {
    return this.samples.get(name) ?? this.hosts.get(name)?.sample ?? null;
  }

  /** Newest first. */
  get runIds(): readonly string[] {
    return this._runIds;
  }

  run(id: string): Run | undefined {
    return this.runs.get(id);
  }

  /** All runs that are known, newest first. */
  allRuns(): Run[] {
    return this._runIds.map(id => this.runs.get(id)!);
  }

  /** Newest first. */
  get operations(): readonly Operation[] {
    return this._operations;
  }

  operation(id: string): Operation | undefined {
    return this._operations.find(operation => operation.id === id);
  }

  /** Oldest first. */
  get prompts(): readonly Prompt[] {
    return this._prompts;
  }

  /** Takes the answer of `GET /hosts`, or what was remembered of it. */
  setHosts(hosts: Hosts, fresh = true): void {
    this.fresh = fresh;
    this._hostNames = hosts.hosts.map(host => host.name);
    this._groups = hosts.groups;
    this.hosts = new Map(hosts.hosts.map(host => [host.name, host]));
    this.samples.clear();
    this.problem = hosts.problem;
    for (const name of this._hostNames) {
      this.emitter.changed(`host:${name}`);
      this.emitter.changed(`sample:${name}`);
    }
    this.emitter.changed('hosts');
  }

  /** Takes a page of runs; `anew` forgets all others. */
  addRuns(page: Runs, anew: boolean): void {
    if (anew) {
      this._runIds = [];
      this.runs.clear();
    }
    const ids = [...this._runIds];
    for (const run of page.runs) {
      this.runs.set(run.id, run);
      insertRun(ids, run.id);
      this.emitter.changed(`run:${run.id}`);
    }
    this._runIds = ids;
    this.emitter.changed('runs');
  }

  /** Takes one operation, from an event or an answer. */
  setOperation(operation: Operation): void {
    const known = this.operation(operation.id);
    if (known && known.ended !== null && operation.ended === null) {
      return; // the answer of a request that an event has overtaken
    }
    const others = this._operations.filter(other => other.id !== operation.id);
    this._operations = known
      ? this._operations.map(other => (other.id === operation.id ? operation : other))
      : [operation, ...others].slice(0, OPERATIONS_KEPT);
    this.emitter.changed('operations');
    if (operation.host) {
      this.emitter.changed(`host:${operation.host}`);
    }
    if (operation.run) {
      this.emitter.changed(`run:${operation.run}`);
    }
  }

  /** Takes a message of the websocket; those of outputs go to whoever shows the run. */
  hear(message: ServerMessage): void {
    switch (message.subject) {
      case 'hello':
        if (!message.resumed) {
          if (message.hosts) {
            this.setHosts(message.hosts);
          }
          this._operations = message.operations ?? [];
          this._prompts = message.prompts ?? [];
          this.belongings.setForwards(message.forwards ?? []);
          this.emitter.changed('operations');
          this.emitter.changed('prompts');
        }
        break;
      case 'host':
        this.hearHost(message.name, message.host);
        break;
      case 'run':
        this.hearRun(message.id, message.run);
        break;
      case 'operation':
        this.setOperation(message.operation);
        break;
      case 'prompt':
        this._prompts = this._prompts.filter(prompt => prompt.id !== message.id);
        if (message.prompt) {
          this._prompts = [...this._prompts, message.prompt];
        }
        this.emitter.changed('prompts');
        break;
      case 'sample':
        this.samples.set(message.host, changedSample(this.sample(message.host), message.sample, message.whole));
        this.emitter.changed(`sample:${message.host}`);
        break;
      case 'output':
        this.hearOutput(message);
        break;
      default:
        this.belongings.hear(message);
    }
  }

  /** What is worth remembering of the hosts for the next page. */
  snapshot(): Hosts {
    const hosts = this._hostNames.map(name => ({ ...this.hosts.get(name)!, sample: this.sample(name) }));
    return { hosts, groups: this._groups as Hosts['groups'], problem: null };
  }

  private hearHost(name: string, host: Host | null): void {
    if (host === null) {
      this.hosts.delete(name);
      this._hostNames = this._hostNames.filter(other => other !== name);
      this.emitter.changed('hosts');
    } else {
      const known = this.hosts.get(name);
      this.hosts.set(name, host);
      if (!known) {
        this._hostNames = [...this._hostNames, name].sort((a, b) => a.localeCompare(b));
      }
      if (!known || known.groups.join() !== host.groups.join()) {
        this.emitter.changed('hosts');
      }
      if (host.sample && host.sample.time >= (this.samples.get(name)?.time ?? 0)) {
        this.samples.set(name, host.sample);
        this.emitter.changed(`sample:${name}`);
      }
    }
    this.emitter.changed(`host:${name}`);
  }

  private hearRun(id: string, run: Run | null): void {
    const known = this.runs.get(id);
    if (run === null) {
      this.runs.delete(id);
      this._runIds = this._runIds.filter(other => other !== id);
      this.emitter.changed('runs');
    } else {
      this.runs.set(id, run);
      if (!known || known.deleted !== run.deleted || known.state !== run.state) {
        // A new list also when the same are in it: others are shown now, or other things can be done with them.
        const ids = [...this._runIds];
        insertRun(ids, id);
        this._runIds = ids;
        this.emitter.changed('runs');
      }
    }
    this.emitter.changed(`run:${id}`);
  }

  private hearOutput(message: OutputEvent): void {
    const run = this.runs.get(message.run);
    if (run && run.state !== message.state) {
      this.hearRun(run.id, { ...run, state: message.state });
    }
  }

  private _hostNames: readonly string[] = [];
  private _groups: Readonly<Record<string, string[]>> = {};
  private _problem: Problem | null = null;
  private hosts = new Map<string, Host>();
  private readonly samples = new Map<string, Sample>();
  private _runIds: readonly string[] = [];
  private readonly runs = new Map<string, Run>();
  private _operations: readonly Operation[] = [];
  private _prompts: readonly Prompt[] = [];
}
