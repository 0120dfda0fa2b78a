/** The marks of all cells of a notebook, what the server knows of their runs, and attaching to them. */
import { Notification } from '@jupyterlab/apputils';
import { CodeCell } from '@jupyterlab/cells';
import { INotebookModel, NotebookPanel } from '@jupyterlab/notebook';
import { TranslationBundle } from '@jupyterlab/translation';
import { IDisposable } from '@lumino/disposable';

import { ONGOING } from '../api/models';
import { tellError } from '../commands/report';
import type { RemoteState } from '../state/remote';
import { CellMarks } from './cellMarks';
import { executeIn } from './execute';
import { followIn } from './follow';
import { KernelLink, NoMagicsError } from './kernelLink';
import { IMark, isOfNotebook, markOf } from './marks';
import { isOngoing, MarkView } from './markView';

/** Follows one notebook for as long as it is open. */
export class NotebookMarks implements IDisposable {
  /**
   * @param open shows a run.
   */
  constructor(
    private readonly panel: NotebookPanel,
    private readonly link: KernelLink,
    private readonly state: RemoteState,
    private readonly trans: TranslationBundle,
    private readonly open: (run: string) => void
  ) {
    link.lost.connect(this.onKernelLost, this);
    link.told.connect((_, said) => this.onTold(said.run));
    panel.content.modelChanged.connect(this.onModel, this);
    panel.disposed.connect(this.dispose, this);
    this.endStore = state.store.on('runs', () => this.onRuns());
    state.availableChanged.connect(this.askAll, this);
    void panel.context.ready.then(() => this.onModel());
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** The marks of a cell's widget. */
  of(cell: unknown): CellMarks | undefined {
    return this.cells.get(cell as CodeCell);
  }

  /** The mark to attach to, of a cell that has one. */
  attachable(cell: unknown): IMark | undefined {
    const marks = this.of(cell);
    return marks?.marks.find(mark => this.canAttach(marks, mark));
  }

  /** Shows a run's output in its cell: by the kernel where that is free, else by the server. */
  async attach(marks: CellMarks, mark: IMark): Promise<void> {
    const { cell } = marks;
    if (await this.link.isFree()) {
      try {
        await this.link.load();
        await executeIn(cell, this.panel.sessionContext, `%remote attach ${mark.run}`);
        marks.keep([mark]); // where it failed, the run is still the cell's
        return;
      } catch (error) {
        if (!(error instanceof NoMagicsError)) {
          throw error;
        }
      }
    }
    if (!this.state.available) {
      Notification.error(this.trans.__('Neither the kernel nor the server can show the run.'));
      return;
    }
    this.following.add(mark.run);
    marks.refresh();
    try {
      const end = await followIn(cell, mark.run, this.state, () => !marks.executes && !this._isDisposed);
      if (end !== null) {
        marks.keep([{ ...mark, state: end }]);
      }
    } catch (error) {
      tellError(error);
    } finally {
      this.following.delete(mark.run);
      marks.refresh();
    }
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    this.endStore();
    this.link.lost.disconnect(this.onKernelLost, this);
    this.state.availableChanged.disconnect(this.askAll, this);
    this.model?.cells.changed.disconnect(this.sync, this);
    for (const marks of this.cells.values()) {
      marks.dispose();
    }
  }

  private canAttach(marks: CellMarks, mark: IMark): boolean {
    return !marks.executes && !this.live.has(mark.run) && !this.following.has(mark.run) && !marks.isWhole(mark);
  }

  private onModel(): void {
    const model = this.panel.content.model;
    if (this._isDisposed || model === this.model) {
      return;
    }
    this.model?.cells.changed.disconnect(this.sync, this);
    this.model = model;
    model?.cells.changed.connect(this.sync, this);
    this.sync();
    this.onRuns();
  }

  /** New cells are followed, those that are gone are forgotten. */
  private sync(): void {
    // The widgets come right after the models.
    requestAnimationFrame(() => {
      if (this._isDisposed) {
        return;
      }
      for (const cell of this.panel.content.widgets) {
        if (cell instanceof CodeCell && !this.cells.has(cell)) {
          this.follow(cell);
        }
      }
      for (const cell of this.cells.keys()) {
        if (cell.isDisposed) {
          this.cells.delete(cell);
        }
      }
    });
  }

  private follow(cell: CodeCell): void {
    const marks: CellMarks = new CellMarks(
      cell,
      () =>
        new MarkView(this.trans, {
          open: mark => this.open(mark.run),
          attach: mark => void this.attach(marks, mark),
          canAttach: mark => this.canAttach(marks, mark)
        }),
      found => this.heard(cell, found)
    );
    this.cells.set(cell, marks);
    this.ask(marks);
    marks.learn(this.newsOf(marks));
  }

  private heard(cell: CodeCell, found: readonly IMark[]): void {
    this.link.want();
    if (cell.model.executionState === 'running') {
      found.forEach(mark => this.live.add(mark.run));
    }
  }

  /** A run that the kernel tells of, with the cell that it belongs to. */
  private onTold(said: unknown): void {
    const mark = markOf(said);
    const id = (said as { cell?: unknown } | undefined)?.cell;
    for (const marks of this.cells.values()) {
      if (mark && marks.cell.model.id === id && marks.executes) {
        this.live.add(mark.run);
        marks.keep([mark]);
      }
    }
  }

  private onKernelLost(): void {
    this.live.clear();
    for (const marks of this.cells.values()) {
      marks.refresh();
    }
  }

  private onRuns(): void {
    for (const marks of this.cells.values()) {
      marks.learn(this.newsOf(marks));
    }
  }

  /** What the server knows of a cell's runs. */
  private newsOf(marks: CellMarks): IMark[] {
    const { store } = this.state;
    const news = marks.marks.flatMap(mark => store.run(mark.run) ?? []);
    if (!marks.executes) {
      const id = marks.cell.model.id;
      news.push(...[store.run(this.byCell().get(id) ?? '') ?? []].flat());
    }
    return news.flatMap(run => markOf({ host: run.host, run: run.id, state: run.state }) ?? []);
  }

  /** Runs that cells of this notebook started and that its file doesn't know of: its page was closed too early. */
  private byCell(): ReadonlyMap<string, string> {
    const { store } = this.state;
    if (this.seen !== store.runIds || this.seenAt !== this.saved()) {
      this.seen = store.runIds;
      this.seenAt = this.saved();
      this.found = new Map();
      const path = this.panel.context.localPath;
      for (const run of store.allRuns()) {
        const isNew = ONGOING.has(run.state) || (run.created ?? 0) > this.seenAt;
        if (run.cell && isNew && !run.deleted && isOfNotebook(run.notebook, path) && !this.found.has(run.cell)) {
          this.found.set(run.cell, run.id);
        }
      }
    }
    return this.found;
  }

  /** When the file was saved last, in seconds since the epoch. */
  private saved(): number {
    return Date.parse(this.panel.context.contentsModel?.last_modified ?? '') / 1000 || Infinity;
  }

  private askAll(): void {
    this.cells.forEach(marks => this.ask(marks));
  }

  /** Asks for runs that were going on when the notebook was saved and that are not among the newest. */
  private ask(marks: CellMarks): void {
    for (const mark of marks.marks) {
      if (isOngoing(mark) && !this.state.store.run(mark.run) && this.state.available) {
        this.state.client.run(mark.run).then(
          run => this.state.store.addRuns({ runs: [run], next: null }, false),
          () => undefined // a history that has never heard of it
        );
      }
    }
  }

  private readonly cells = new Map<CodeCell, CellMarks>();
  /** Runs whose output this page's kernel sends into their cell. */
  private readonly live = new Set<string>();
  /** Runs that the server shows in their cell. */
  private readonly following = new Set<string>();
  private readonly endStore: () => void;
  private model: INotebookModel | null = null;
  private seen: readonly string[] = [];
  private seenAt = NaN;
  private found = new Map<string, string>();
  private _isDisposed = false;
}
