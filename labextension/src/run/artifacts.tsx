/** The files that a run made: listed, shown, downloaded. */
import * as React from 'react';

import { ApiError } from '../api/client';
import type { Artifact } from '../api/models';
import { carryOut, problemText, tellError } from '../commands/report';
import { useStore, useUi } from '../hooks';
import { bytes, moment } from '../words';
import { Preview } from './preview';

/** The list and a preview; nothing is asked while `active` is false. */
export function ArtifactsPage(props: { run: string; active: boolean }): JSX.Element {
  const { state, trans } = useUi();
  const run = useStore(`run:${props.run}`, () => state.store.run(props.run));
  // A pull that ends, whoever started it, brings files.
  const pulls = useStore(`run:${props.run}`, () => state.store.operations.filter(one => one.run === props.run && one.action === 'pull' && one.ended !== null).length);
  const [artifacts, setArtifacts] = React.useState<Artifact[] | null>(null);
  const [problem, setProblem] = React.useState('');
  const [shown, setShown] = React.useState<{ path: string; blob: Blob } | null>(null);
  const read = React.useCallback(async () => {
    try {
      setArtifacts((await state.client.artifacts(props.run)).artifacts);
      setProblem('');
    } catch (error) {
      setProblem(error instanceof ApiError ? problemText(error.problem) : String(error));
    }
  }, [state, props.run]);
  React.useEffect(() => {
    if (props.active) {
      void read();
    }
  }, [props.active, read, run?.state, pulls]);

  const get = async (artifact: Artifact): Promise<Blob | null> => {
    if (!artifact.local) {
      const done = await carryOut(state, () => state.client.actOnRun(props.run, 'pull', { paths: [artifact.path] }));
      await read();
      if (!done) {
        return null;
      }
    }
    return state.client.artifact(props.run, artifact.path).catch(error => {
      tellError(error);
      return null;
    });
  };
  if (problem) {
    return <p className="jr-Run-problem">{problem}</p>;
  }
  if (artifacts === null) {
    return <p>{trans.__('Reading…')}</p>;
  }
  if (artifacts.length === 0) {
    return <p>{trans.__('The run has made no files that are pulled. Which are, say the host’s “sync: pull:” and “--pull”.')}</p>;
  }
  return (
    <div className="jr-Artifacts">
      <div className="jr-Artifacts-list">
        <table className="jr-Table">
          <thead>
            <tr>
              <th scope="col">{trans.__('File')}</th>
              <th scope="col">{trans.__('Size')}</th>
              <th scope="col">{trans.__('Changed')}</th>
              <th scope="col">{trans.__('Where')}</th>
              <th scope="col">{trans.__('Actions')}</th>
            </tr>
          </thead>
          <tbody>
            {artifacts.map(artifact => (
              <tr key={artifact.path} className={shown?.path === artifact.path ? 'jr-mod-current' : ''}>
                <td title={artifact.path}>{artifact.path}</td>
                <td className="jr-mod-number">{bytes(artifact.size)}</td>
                <td>{moment(artifact.mtime)}</td>
                <td>{artifact.local ? trans.__('here') : trans.__('on the host')}</td>
                <td>
                  <button className="jr-Button" aria-label={trans.__('Show %1', artifact.path)} onClick={() => void get(artifact).then(blob => blob && setShown({ path: artifact.path, blob }))}>
                    {trans.__('Show')}
                  </button>{' '}
                  <button className="jr-Button" aria-label={trans.__('Download %1', artifact.path)} onClick={() => void get(artifact).then(blob => blob && download(artifact.path, blob))}>
                    {trans.__('Download')}
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <div className="jr-Preview" role="region" aria-label={trans.__('Preview')} tabIndex={0}>
        {shown ? <Preview key={shown.path} path={shown.path} blob={shown.blob} /> : <p>{trans.__('“Show” a file to see it here.')}</p>}
      </div>
    </div>
  );
}

/** Has the browser save the bytes under the file's own name. */
function download(path: string, blob: Blob): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([blob], { type: 'application/octet-stream' }));
  link.download = path.slice(path.lastIndexOf('/') + 1);
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
