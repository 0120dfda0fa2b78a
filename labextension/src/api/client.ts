/** One method for each route of rest-api.yml. No state, no DOM. */
import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import type * as M from './models';

const ROOT = 'jupyter-remote/api';

/** An answer that is an error; its message and hint are for the user. */
export class ApiError extends Error {
  constructor(
    readonly problem: M.Problem,
    readonly status: number
  ) {
    super(problem.message);
    this.name = 'ApiError';
  }

  /** What the user can do next, or an empty text. */
  get hint(): string {
    return this.problem.hint;
  }
}

type Query = Record<string, string | number | boolean | null | undefined>;

/** The server extension, asked over HTTP. */
export class RemoteClient {
  /**
   * @param settings of the server that the page comes from.
   */
  constructor(readonly settings: ServerConnection.ISettings = ServerConnection.makeSettings()) {}

  /** The address of the websocket; `since` and `server` are of the last hello. */
  eventsUrl(since: number | null, server: string | null): string {
    const query: Query = since === null ? {} : { since, server };
    if (this.settings.appendToken && this.settings.token) {
      query.token = this.settings.token;
    }
    return URLExt.join(this.settings.wsUrl, ROOT, 'events') + queryText(query);
  }

  version(): Promise<M.Version> {
    return this.ask('GET', ['version']);
  }

  hosts(): Promise<M.Hosts> {
    return this.ask('GET', ['hosts']);
  }

  host(name: string): Promise<M.HostDetail> {
    return this.ask('GET', ['hosts', name]);
  }

  /** Saves a host; with `setup` the answer is an operation. */
  addHost(host: M.NewHost): Promise<M.Host | M.Operation> {
    return this.ask('POST', ['hosts'], {}, host);
  }

  changeHost(name: string, settings: Record<string, unknown>): Promise<M.HostDetail> {
    return this.ask('PATCH', ['hosts', name], {}, { settings });
  }

  removeHost(name: string): Promise<void> {
    return this.ask('DELETE', ['hosts', name]);
  }

  actOnHost(name: string, action: M.HostAction, options: M.HostActionOptions = {} as M.HostActionOptions): Promise<M.Operation> {
    return this.ask('POST', ['hosts', name, action], {}, options);
  }

  sessions(host?: string): Promise<{ sessions: M.Session[] }> {
    return this.ask('GET', ['sessions'], { host });
  }

  stopSession(host: string, session: string): Promise<M.Operation> {
    return this.ask('DELETE', ['hosts', host, 'sessions', session]);
  }

  campaigns(host: string): Promise<M.Campaigns> {
    return this.ask('GET', ['hosts', host, 'campaigns']);
  }

  actOnCampaign(host: string, campaign: string, action: 'stop' | 'resume'): Promise<M.Operation> {
    return this.ask('POST', ['hosts', host, 'campaigns', campaign, action], {}, {});
  }

  environments(host: string): Promise<M.Environments> {
    return this.ask('GET', ['hosts', host, 'environments']);
  }

  removeEnvironment(host: string, name: string, force = false): Promise<M.Operation> {
    return this.ask('DELETE', ['hosts', host, 'environments', name], { force });
  }

  /** Makes a port of a host one of the server's machine. */
  openForward(host: string, forward: M.NewForward): Promise<M.Operation> {
    return this.ask('POST', ['hosts', host, 'forwards'], {}, forward);
  }

  forwards(): Promise<{ forwards: M.Forward[] }> {
    return this.ask('GET', ['forwards']);
  }

  endForward(id: string): Promise<M.Operation> {
    return this.ask('DELETE', ['forwards', id]);
  }

  operations(): Promise<{ operations: M.Operation[] }> {
    return this.ask('GET', ['operations']);
  }

  operation(id: string): Promise<M.Operation> {
    return this.ask('GET', ['operations', id]);
  }

  cancelOperation(id: string): Promise<void> {
    return this.ask('DELETE', ['operations', id]);
  }

  prompts(): Promise<{ prompts: M.Prompt[] }> {
    return this.ask('GET', ['prompts']);
  }

  answerPrompt(id: string, answer: string): Promise<void> {
    return this.ask('POST', ['prompts', id], {}, { answer });
  }

  cancelPrompt(id: string): Promise<void> {
    return this.ask('POST', ['prompts', id], {}, { cancel: true });
  }

  runs(query: M.RunQuery = {}): Promise<M.Runs> {
    return this.ask('GET', ['runs'], { ...query });
  }

  /** Starts a run; the operation's result is the run. */
  startRun(run: Partial<M.NewRun> & Pick<M.NewRun, 'host' | 'code'>): Promise<M.Operation> {
    return this.ask('POST', ['runs'], {}, run);
  }

  run(id: string): Promise<M.RunDetail> {
    return this.ask('GET', ['runs', id]);
  }

  labelRun(id: string, label: string): Promise<M.Operation> {
    return this.ask('PATCH', ['runs', id], {}, { label });
  }

  actOnRun(id: string, action: M.RunAction, options: M.RunActionOptions = {}): Promise<M.Operation> {
    return this.ask('POST', ['runs', id, action], {}, options);
  }

  /** The same with several runs; the result says which were refused. */
  actOnRuns(action: M.RunsAction['action'], runs: readonly string[], label?: string): Promise<M.Operation> {
    return this.ask('POST', ['batch'], {}, { action, runs, label });
  }

  output(id: string, fromLine: number, lines: number): Promise<M.Output> {
    return this.ask('GET', ['runs', id, 'output'], { from_line: fromLine, lines });
  }

  display(id: string, number: number): Promise<M.Display> {
    return this.ask('GET', ['runs', id, 'displays', String(number)]);
  }

  cellOutputs(id: string): Promise<M.CellOutputs> {
    return this.ask('GET', ['runs', id, 'cell']);
  }

  metrics(id: string, points = 1000): Promise<M.Metrics> {
    return this.ask('GET', ['runs', id, 'metrics'], { points });
  }

  artifacts(id: string): Promise<M.Artifacts> {
    return this.ask('GET', ['runs', id, 'artifacts']);
  }

  /** The bytes of an artifact that is here. */
  async artifact(id: string, path: string): Promise<Blob> {
    const answer = await this.request('GET', ['runs', id, 'artifact'], { path });
    return answer.blob();
  }

  compare(ids: readonly string[], metric?: string, points = 500): Promise<M.Comparison> {
    return this.ask('GET', ['compare'], { ids: ids.join(','), metric, points });
  }

  private async ask<T>(method: string, path: string[], query: Query = {}, body?: object): Promise<T> {
    const answer = await this.request(method, path, query, body);
    return (answer.status === 204 ? undefined : await answer.json()) as T;
  }

  private async request(method: string, path: string[], query: Query, body?: object): Promise<Response> {
    const url = URLExt.join(this.settings.baseUrl, ROOT, ...path.map(encodeURIComponent)) + queryText(query);
    const init: RequestInit = { method };
    if (body !== undefined) {
      init.body = JSON.stringify(body);
    }
    let answer: Response;
    try {
      answer = await ServerConnection.makeRequest(url, init, this.settings);
    } catch {
      throw new ApiError(problem('The Jupyter server does not answer.', 'Check that it runs, and the network.'), 0);
    }
    if (!answer.ok) {
      throw new ApiError(await readProblem(answer), answer.status);
    }
    return answer;
  }
}

function problem(message: string, hint = ''): M.Problem {
  return { message, hint, kind: 'NoAnswer' };
}

async function readProblem(answer: Response): Promise<M.Problem> {
  try {
    const said = await answer.json();
    if (typeof said.message === 'string') {
      return { hint: '', kind: 'Unknown', ...said };
    }
  } catch {
    // Not ours, so the status has to do.
  }
  return problem(`The Jupyter server answered ${answer.status} ${answer.statusText}`.trim() + '.');
}

function queryText(query: Query): string {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== '');
  if (pairs.length === 0) {
    return '';
  }
  return '?' + pairs.map(([key, value]) => `${key}=${encodeURIComponent(String(value))}`).join('&');
}
