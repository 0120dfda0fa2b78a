/**
 * What a notebook's page and its kernel tell each other: the default host, and runs as they begin.
 *
 * The kernel's half is `default_host.py`. A kernel that has nothing to do with hosts is never asked anything:
 * the link is made when the notebook has a default host, or its cells use the magics.
 */
import { ISessionContext } from '@jupyterlab/apputils';
import { Kernel, KernelMessage } from '@jupyterlab/services';
import { JSONObject } from '@lumino/coreutils';
import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

const TARGET = 'jupyter_remote';
const LOAD = "get_ipython().extension_manager.load_extension('jupyter_remote')";
// Together with that, so that a cell which is executed right after the choice goes where it says.
const SET = "__import__('jupyter_remote.default_host', fromlist=['set']).set";
const LOADED = "'jupyter_remote' in get_ipython().extension_manager.loaded";

/** A kernel that is busy for longer executes a cell. */
const FREE_MS = 2000;

/** Why a kernel can't send cells to hosts, in words for the user. */
export class NoMagicsError extends Error {}

/** The link of one notebook; made anew after each restart of its kernel. */
export class KernelLink implements IDisposable {
  /**
   * @param context the notebook's.
   * @param host says the default host as the notebook has it.
   */
  constructor(
    private readonly context: ISessionContext,
    private readonly host: () => string | null
  ) {
    context.kernelChanged.connect(this.forget, this);
    context.statusChanged.connect(this.onStatus, this);
    document.addEventListener('visibilitychange', this.onVisibility);
    window.addEventListener('pagehide', this.onPageHide);
    void context.ready.then(() => this.onStatus(context, this.context.session?.kernel?.status ?? 'unknown'));
  }

  /** What the kernel says: `{"host": NAME}` or `{"run": {…}}`. */
  get told(): ISignal<this, JSONObject> {
    return this._told;
  }

  /** The kernel is another one now, or its process is: what it ran before goes on without it. */
  get lost(): ISignal<this, void> {
    return this._lost;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** The kernel uses hosts, so it is to be linked as long as the notebook is open. */
  want(): void {
    this.wanted = true;
    this.link(false);
  }

  /** Tells the kernel the default host as it is now, and loads our extension of IPython there for it. */
  tell(): void {
    const host = this.host();
    if (this.comm && !this.comm.isDisposed) {
      if (host !== this.said) {
        this.said = host;
        this.comm.send({ host });
      }
    } else if (host !== null) {
      this.link(true);
    }
  }

  /**
   * Sees to it that the kernel has the magics.
   *
   * @throws NoMagicsError it can't have them.
   */
  async load(): Promise<void> {
    const kernel = this.kernel();
    if (!kernel) {
      throw new NoMagicsError('This notebook has no kernel.');
    }
    if (this.loaded !== kernel) {
      await this.ask(kernel, LOAD);
    }
  }

  /** Whether the kernel takes code now; waits a moment for what is only a short question, also one of ours. */
  async isFree(): Promise<boolean> {
    const until = Date.now() + FREE_MS;
    for (;;) {
      const status = this.kernel()?.status;
      if (status === 'idle' && this.linking === 0) {
        return true;
      }
      if (status === undefined || status === 'dead' || status === 'unknown' || Date.now() > until) {
        return false;
      }
      await new Promise(resolve => setTimeout(resolve, 50));
    }
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    document.removeEventListener('visibilitychange', this.onVisibility);
    window.removeEventListener('pagehide', this.onPageHide);
    this.comm?.dispose();
    Signal.clearData(this);
  }

  private kernel(): Kernel.IKernelConnection | null {
    return this.context.session?.kernel ?? null;
  }

  private forget(): void {
    this.comm?.dispose();
    this.comm = null;
    this.loaded = null;
    this.refused = null;
    this.restarts += 1;
    this._lost.emit();
  }

  private onStatus(_: ISessionContext, status: Kernel.Status): void {
    if (status === 'restarting' || status === 'autorestarting' || status === 'dead') {
      if (this.comm || this.loaded || status !== this.before) {
        this.forget();
      }
    } else if (status === 'idle' && !this.comm) {
      if (this.host() !== null) {
        // One that is being made says the host already; said once more, it could undo what a cell has set meanwhile.
        if (this.linking === 0) {
          this.link(true);
        }
      } else if (this.wanted) {
        this.link(false);
      }
    }
    this.before = status;
  }

  private readonly onVisibility = (): void => {
    if (this.comm && !this.comm.isDisposed) {
      this.comm.send({ hidden: document.hidden });
    }
  };

  /** A page that goes would else be hidden for ever: the next one may have no reason to make a link. */
  private readonly onPageHide = (): void => {
    if (this.comm && !this.comm.isDisposed) {
      this.comm.close();
    }
    this.comm = null;
    this.refused = null;
  };

  /** Makes the link, once for each life of a kernel; what is to be loaded is said at once, each time. */
  private link(load: boolean): void {
    const kernel = this.kernel();
    if (!kernel || this.comm || !kernel.handleComms || (!load && (this.linking > 0 || this.refused === kernel))) {
      return;
    }
    this.linking += 1;
    const life = this.restarts;
    const host = this.host();
    const code = host === null ? LOAD : `${LOAD}; ${SET}(${JSON.stringify(host)})`;
    void this.ask(kernel, load ? code : 'None')
      .then(() => {
        if (life === this.restarts && !this._isDisposed && !this.comm) {
          this.open(kernel);
        }
      })
      .catch(() => {
        this.refused = kernel; // told where the user asks for something
      })
      .finally(() => {
        this.linking -= 1;
      });
  }

  private async ask(kernel: Kernel.IKernelConnection, code: string): Promise<void> {
    const life = this.restarts;
    const language = (await kernel.info).language_info.name;
    if (language !== 'python') {
      throw new NoMagicsError(`Only kernels of Python send cells to hosts; this one is of ${language}.`);
    }
    const future = kernel.requestExecute({
      code,
      silent: true,
      store_history: false,
      allow_stdin: false,
      user_expressions: { loaded: LOADED }
    });
    const { content } = await future.done;
    if (content.status !== 'ok') {
      throw new NoMagicsError(because(content as KernelMessage.IReplyErrorContent));
    }
    const said = content.user_expressions.loaded as { data?: Record<string, unknown> } | undefined;
    if (said?.data?.['text/plain'] !== 'True') {
      throw new NoMagicsError('The kernel has not loaded jupyter_remote.');
    }
    if (life === this.restarts) {
      this.loaded = kernel;
    }
  }

  private open(kernel: Kernel.IKernelConnection): void {
    const comm = kernel.createComm(TARGET);
    comm.onMsg = message => {
      const said = message.content.data as JSONObject;
      if ('host' in said) {
        this.said = said.host as string | null;
      }
      this._told.emit(said);
    };
    comm.onClose = () => {
      if (this.comm === comm) {
        this.comm = null;
        this.refused = kernel;
      }
    };
    this.comm = comm;
    this.said = this.host();
    comm.open({ host: this.said, hidden: document.hidden });
  }

  private comm: Kernel.IComm | null = null;
  private said: string | null = null;
  private loaded: Kernel.IKernelConnection | null = null;
  private refused: Kernel.IKernelConnection | null = null;
  private linking = 0;
  private wanted = false;
  private restarts = 0;
  private before: Kernel.Status = 'unknown';
  private _isDisposed = false;
  private readonly _told = new Signal<this, JSONObject>(this);
  private readonly _lost = new Signal<this, void>(this);
}

function because(error: KernelMessage.IReplyErrorContent): string {
  if (error.ename === 'ModuleNotFoundError') {
    return "The environment of this notebook's kernel has no jupyter_remote. Install the package jupyter-remote-cells there.";
  }
  return `The kernel could not load jupyter_remote: ${error.ename}: ${error.evalue}`;
}
