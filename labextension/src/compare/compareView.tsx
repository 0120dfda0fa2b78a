/** The main-area view of several runs side by side: a table with the best marked, bars and curves of one metric. */
import { ReactWidget } from '@jupyterlab/apputils';
import * as React from 'react';

import { ApiError } from '../api/client';
import type { Comparison } from '../api/models';
import { CommandIDs } from '../commands/ids';
import { problemText } from '../commands/report';
import { IUi, UiContext, useUi } from '../hooks';
import { remoteIcon } from '../icons';
import { curveLook, CurvePicture } from '../plots/curve';
import { number, runTitle, STATE_SIGN, stateWord } from '../words';

/** Runs side by side. */
export class CompareView extends ReactWidget {
  constructor(
    private readonly ui: IUi,
    readonly runs: readonly string[]
  ) {
    super();
    this.id = `jupyter-remote-compare-${runs.join('-')}`;
    this.addClass('jr-Compare');
    this.title.icon = remoteIcon;
    this.title.closable = true;
    this.title.label = ui.trans.__('%1 runs', runs.length);
    this.title.caption = runs.join(', ');
  }

  protected render(): React.ReactElement {
    return (
      <UiContext.Provider value={this.ui}>
        <Content runs={this.runs} />
      </UiContext.Provider>
    );
  }
}

function Content({ runs }: { runs: readonly string[] }): JSX.Element {
  const { state, trans } = useUi();
  const [metric, setMetric] = React.useState<string | null>(null);
  const [all, setAll] = React.useState(false);
  const [comparison, setComparison] = React.useState<Comparison | null>(null);
  const [problem, setProblem] = React.useState('');
  const [reads, again] = React.useReducer((count: number) => count + 1, 0);
  React.useEffect(() => {
    let ended = false;
    state.client.compare(runs, metric ?? undefined).then(
      known => {
        if (!ended) {
          setComparison(known);
          setProblem('');
          const first = known.columns.find(column => column.group === 'metric');
          if (metric === null && first) {
            setMetric(first.name);
          }
        }
      },
      error => !ended && setProblem(error instanceof ApiError ? problemText(error.problem) : String(error))
    );
    return () => {
      ended = true;
    };
  }, [state, runs, metric, reads]);
  // A run that goes on changes what there is to compare.
  React.useEffect(() => {
    const ends = runs.map(run => state.store.on(`run:${run}`, again));
    return () => ends.forEach(end => end());
  }, [state, runs]);
  if (problem) {
    return <p className="jr-Run-problem">{problem}</p>;
  }
  if (!comparison) {
    return <p>{trans.__('Reading…')}</p>;
  }
  const metrics = comparison.columns.filter(column => column.group === 'metric').map(column => column.name);
  return (
    <>
      <div className="jr-Compare-tools">
        <label>
          <input type="checkbox" checked={all} onChange={event => setAll(event.target.checked)} /> {trans.__('What is the same too')}
        </label>
        {metrics.length > 0 && (
          <label>
            {trans.__('Metric')}{' '}
            <select value={metric ?? ''} onChange={event => setMetric(event.target.value)}>
              {metrics.map(name => (
                <option key={name}>{name}</option>
              ))}
            </select>
          </label>
        )}
      </div>
      <Table comparison={comparison} all={all} />
      {metric !== null && <OneMetric comparison={comparison} metric={metric} />}
    </>
  );
}

function Table({ comparison, all }: { comparison: Comparison; all: boolean }): JSX.Element {
  const { commands, trans } = useUi();
  const { columns, rows, runs } = comparison;
  const shown = columns.map((column, index) => ({ ...column, index })).filter(column => all || column.differs || column.group === 'metric');
  return (
    <div className="jr-Compare-table" tabIndex={0} role="region" aria-label={trans.__('Comparison')}>
      <table className="jr-Table">
        <thead>
          <tr>
            <th scope="col">{trans.__('Run')}</th>
            <th scope="col">{trans.__('State')}</th>
            {shown.map(column => (
              <th scope="col" key={column.index}>
                {column.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {runs.map((run, index) => (
            <tr key={run.id}>
              <th scope="row">
                <Key index={index} />
                <button className="jr-Button" title={run.id} onClick={() => void commands.execute(CommandIDs.openRun, { run: run.id })}>
                  {runTitle(run).slice(0, 40)}
                </button>
              </th>
              <td>
                {STATE_SIGN[run.state]} {stateWord(run.state, trans)}
              </td>
              {shown.map(column => {
                const value = rows[index][column.index];
                const isBest = column.best.includes(run.id);
                return (
                  <td
                    key={column.index}
                    className={`${typeof value === 'number' ? 'jr-mod-number' : ''} ${isBest ? 'jr-mod-best' : ''}`}
                    title={isBest ? trans.__('the best') : String(value ?? '')}
                  >
                    {isBest ? '★ ' : ''}
                    {typeof value === 'number' ? number(value) : String(value ?? '–')}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Key({ index }: { index: number }): JSX.Element {
  const look = curveLook(index);
  return <span className="jr-Legend-key" aria-hidden="true" style={{ borderTopColor: look.color, borderTopStyle: look.dash ? 'dashed' : 'solid' }} />;
}

function OneMetric({ comparison, metric }: { comparison: Comparison; metric: string }): JSX.Element {
  const { trans } = useUi();
  const { columns, rows, runs, series } = comparison;
  const at = columns.findIndex(column => column.group === 'metric' && column.name === metric);
  const values = rows.map(row => row[at]);
  const numbers = values.map(value => (typeof value === 'number' ? value : 0));
  const most = Math.max(...numbers.map(Math.abs), Number.MIN_VALUE);
  const curves = runs.map(run => {
    const known = series.find(one => one.run === run.id && one.name === metric);
    return { name: run.id, steps: known?.steps ?? [], values: known?.values ?? [] };
  });
  return (
    <>
      <div className="jr-Compare-bars" role="img" aria-label={runs.map((run, index) => `${runTitle(run)}: ${metric} ${number(asNumber(values[index]))}`).join(', ')}>
        {runs.map((run, index) => (
          <React.Fragment key={run.id}>
            <span>{runTitle(run).slice(0, 40)}</span>
            <span className="jr-Bar">
              <span className="jr-Bar-fill" style={{ transform: `scaleX(${Math.abs(numbers[index]) / most})`, background: curveLook(index).color }} />
            </span>
            <span>{number(asNumber(values[index]))}</span>
          </React.Fragment>
        ))}
      </div>
      {curves.some(curve => curve.values.length > 0) && (
        <div className="jr-Curves jr-mod-wide">
          <CurvePicture title={metric} curves={curves} axis={trans.__('step')} wide />
        </div>
      )}
    </>
  );
}

function asNumber(value: unknown): number | string | null {
  return typeof value === 'number' || typeof value === 'string' ? value : null;
}
