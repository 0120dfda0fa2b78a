/** The metrics of a run as curves, read anew while it goes on. */
import * as React from 'react';

import type { Metrics } from '../api/models';
import { ONGOING } from '../api/models';
import { problemText } from '../commands/report';
import { ApiError } from '../api/client';
import { useStore, useUi } from '../hooks';
import { CurvePicture } from '../plots/curve';
import { number } from '../words';

const POLL_MS = 3000;

/** Curves of all metrics; nothing is asked while `active` is false. */
export function MetricsPage(props: { run: string; active: boolean }): JSX.Element {
  const { state, trans } = useUi();
  const run = useStore(`run:${props.run}`, () => state.store.run(props.run));
  const [metrics, setMetrics] = React.useState<Metrics | null>(null);
  const [problem, setProblem] = React.useState('');
  const goesOn = run !== undefined && ONGOING.has(run.state);
  React.useEffect(() => {
    if (!props.active) {
      return;
    }
    let ended = false;
    let timer = 0;
    const read = async () => {
      if (!document.hidden) {
        try {
          const known = await state.client.metrics(props.run);
          if (!ended) {
            setMetrics(known);
            setProblem('');
          }
        } catch (error) {
          setProblem(error instanceof ApiError ? problemText(error.problem) : String(error));
        }
      }
      if (!ended && goesOn) {
        timer = window.setTimeout(() => void read(), POLL_MS);
      }
    };
    void read();
    return () => {
      ended = true;
      window.clearTimeout(timer);
    };
  }, [state, props.run, props.active, goesOn]);
  if (problem) {
    return <p className="jr-Run-problem">{problem}</p>;
  }
  if (!metrics) {
    return <p>{trans.__('Reading…')}</p>;
  }
  const params = Object.entries(metrics.params);
  return (
    <>
      {metrics.progress && (
        <p>
          <progress aria-label={trans.__('Progress')} max={1} value={metrics.progress.fraction ?? undefined} /> {metrics.progress.text}
        </p>
      )}
      {metrics.series.length === 0 && (
        <p>
          {trans.__('No metrics so far. Print them, one line for each step:')} <code>step=10 loss=0.25 acc=0.91</code>
        </p>
      )}
      <div className="jr-Curves">
        {metrics.series.map(series => (
          <CurvePicture
            key={series.name}
            title={series.name}
            last={run?.metrics[series.name] ?? lastValue(series.values)}
            curves={[series]}
            axis={series.steps.some(step => step !== null) ? trans.__('step') : trans.__('count')}
          />
        ))}
      </div>
      {params.length > 0 && (
        <table className="jr-Table">
          <tbody>
            {params.map(([name, value]) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td>{value}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </>
  );
}

function lastValue(values: readonly (number | null)[]): number | string {
  for (let i = values.length - 1; i >= 0; i--) {
    if (values[i] !== null) {
      return values[i]!;
    }
  }
  return number(NaN);
}
