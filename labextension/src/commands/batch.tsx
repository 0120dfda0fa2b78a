/** What was done with several runs at once, told: with how many, and which were refused and why. */
import { Dialog, Notification, ReactWidget, showDialog } from '@jupyterlab/apputils';
import * as React from 'react';

import type { Refusal, RunsAction } from '../api/models';
import type { IUi } from '../hooks';
import { runTitle } from '../words';
import { withCode } from './dialogs';
import { grouped } from './refusals';
import { carryOut } from './report';

/** Does it with all of them in one operation, and tells what came of it. */
export async function carryOutAll(ui: IUi, action: RunsAction['action'], runs: readonly string[], label?: string): Promise<void> {
  const { state } = ui;
  const done = await carryOut(state, () => state.client.actOnRuns(action, runs, label));
  const refused = done?.result?.refused ?? [];
  if (refused.length > 0) {
    await showRefusals(ui, refused, runs.length);
  } else if (done) {
    Notification.success(done.text, { autoClose: 5000 });
  }
}

async function showRefusals({ state, trans }: IUi, refused: readonly Refusal[], all: number): Promise<void> {
  const title = (id: string) => {
    const run = state.store.run(id);
    return run ? runTitle(run) : id;
  };
  const body = ReactWidget.create(
    <div className="jr-Findings">
      <p>{refused.length === all ? trans.__('Nothing was done:') : trans.__('It was done with the others.')}</p>
      <ul tabIndex={0} aria-label={trans.__('Refused runs')}>
        {grouped(refused).map(group => (
          <li key={group.runs[0]} className="jr-Finding jr-mod-failed">
            <span aria-hidden="true" className="jr-Finding-sign">
              ✕
            </span>
            <span>
              {group.runs.map((id, index) => (
                <React.Fragment key={id}>
                  {index > 0 && ', '}
                  <strong title={id}>{title(id)}</strong>
                </React.Fragment>
              ))}
              {group.host && ` (${group.host})`}: {withCode(group.message)}
              {group.hint && <div className="jr-Finding-remedy">{withCode(group.hint)}</div>}
            </span>
          </li>
        ))}
      </ul>
    </div>
  );
  await showDialog({
    title: trans._n('%1 of %2 runs was refused', '%1 of %2 runs were refused', refused.length, all),
    body,
    buttons: [Dialog.okButton({ label: trans.__('Close') })]
  });
}
