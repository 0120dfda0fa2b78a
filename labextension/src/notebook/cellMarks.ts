/** The marks of one cell: found in its outputs, kept in its metadata, shown below its text. */
import { CodeCell, ICodeCellModel } from '@jupyterlab/cells';
import { IDisposable } from '@lumino/disposable';
import { PanelLayout } from '@lumino/widgets';

import { cellValue, IMark, KEY, marksOfCell, marksOfOutputs, merged } from './marks';
import { isOngoing, MarkView } from './markView';

/** Where the view goes: behind the header and the input. */
const PLACE = 2;

/** Follows a cell for as long as it is there. */
export class CellMarks implements IDisposable {
  /**
   * @param cell the cell's widget.
   * @param view makes what shows the marks, when there are some for the first time.
   * @param heard called when marks were found that were not known.
   */
  constructor(
    readonly cell: CodeCell,
    private readonly view: () => MarkView,
    private readonly heard: (marks: readonly IMark[]) => void
  ) {
    const model = cell.model;
    this.kept = merged(marksOfCell(model.getMetadata(KEY)), this.inOutputs());
    this.marks = this.kept;
    model.outputs.changed.connect(this.onOutputs, this);
    model.metadataChanged.connect(this.onMetadata, this);
    model.stateChanged.connect(this.onState, this);
    cell.disposed.connect(this.dispose, this);
    void cell.ready.then(() => this.refresh());
    if (this.marks.length > 0) {
      this.heard(this.marks);
    }
  }

  /** The runs that this cell was executed as, the first one first, as they stand now. */
  marks: IMark[];

  /** Whether the cell's outputs are all that a run printed, as far as anybody knows. */
  isWhole(mark: IMark): boolean {
    const kept = this.kept.find(other => other.run === mark.run);
    return kept !== undefined && !isOngoing(kept);
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Whether the cell is executing now, so that it shows what comes. */
  get executes(): boolean {
    return this.cell.model.executionState === 'running';
  }

  /** Takes what somebody else knows of runs. Nothing of it is written down: it may be asked for again. */
  learn(marks: readonly IMark[]): void {
    const now = merged(this.marks, marks);
    if (now !== this.marks) {
      this.marks = now;
      this.refresh();
    }
  }

  /** Takes what the cell's own outputs say of runs, and keeps it in the metadata. */
  keep(marks: readonly IMark[]): void {
    const kept = merged(this.kept, marks);
    if (kept === this.kept) {
      return;
    }
    this.kept = kept;
    this.marks = merged(this.marks, marks);
    this.writing = true;
    this.cell.model.setMetadata(KEY, cellValue(kept));
    this.writing = false;
    this.heard(marks);
    this.refresh();
  }

  /** The cell has run nowhere any more: its outputs were cleared, or it was executed again. */
  clear(): void {
    this.kept = [];
    this.marks = [];
    if (this.cell.model.getMetadata(KEY) !== undefined) {
      this.cell.model.deleteMetadata(KEY);
    }
    this.refresh();
  }

  /** Shows the marks as they are. */
  refresh(): void {
    const { cell } = this;
    if (this._isDisposed || cell.isPlaceholder() || (!this.shown && this.marks.length === 0)) {
      return;
    }
    if (!this.shown) {
      this.shown = this.view();
      (cell.layout as PanelLayout).insertWidget(PLACE, this.shown);
    }
    this.shown.setHidden(this.marks.length === 0);
    this.shown.showMarks(this.marks);
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    const model = this.cell.model as ICodeCellModel | null;
    if (model && !model.isDisposed) {
      model.outputs.changed.disconnect(this.onOutputs, this);
      model.metadataChanged.disconnect(this.onMetadata, this);
      model.stateChanged.disconnect(this.onState, this);
    }
    this.shown?.dispose();
  }

  private inOutputs(): IMark[] {
    const { outputs } = this.cell.model;
    return marksOfOutputs(Array.from({ length: outputs.length }, (_, index) => outputs.get(index).metadata));
  }

  private onOutputs(): void {
    this.keep(this.inOutputs());
  }

  private onMetadata(_: unknown, change: { key?: string }): void {
    if (change.key === KEY && !this.writing) {
      this.kept = merged(marksOfCell(this.cell.model.getMetadata(KEY)), this.inOutputs());
      this.marks = merged(this.kept, this.marks.filter(mark => this.kept.some(other => other.run === mark.run)));
      this.refresh();
    }
  }

  private onState(_: unknown, change: { name: string; newValue: unknown }): void {
    if (change.name !== 'executionState') {
      return;
    }
    if (change.newValue === 'running') {
      this.clear();
    } else {
      this.refresh(); // a run that goes on can be attached to now
    }
  }

  private kept: IMark[];
  private shown: MarkView | null = null;
  private writing = false;
  private _isDisposed = false;
}
