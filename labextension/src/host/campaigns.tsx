/** Campaigns of a host: how their steps stand, and their runs. */
import * as React from 'react';

import type { Campaign, Step } from '../api/models';
import { carryOut } from '../commands/report';
import { sure } from '../commands/sure';
import { CommandIDs } from '../commands/ids';
import { useStore, useUi } from '../hooks';
import { duration, moment, stepSign, stepWord } from '../words';
import { Part } from './part';
import { useRead } from './read';

/** Of the steps of a campaign, so many are shown until all are asked for. */
const STEPS_SHOWN = 50;

export function CampaignsPart({ host, up }: { host: string; up: boolean }): JSX.Element {
  const { state, trans } = useUi();
  const { belongings } = state.store;
  const campaigns = useStore(`campaigns:${host}`, () => belongings.campaigns(host));
  const { problem, seen } = useRead(async () => {
    const answer = await state.client.campaigns(host);
    belongings.setCampaigns(host, answer.campaigns);
    return answer;
  }, up);
  const count = seen === null && !campaigns?.length ? null : (campaigns?.length ?? null);
  return (
    <Part title={trans.__('Campaigns')} count={count} up={up} problem={problem} none={trans.__('None: %%remote campaign FILE starts one.')}>
      {campaigns?.map(campaign => (
        <OneCampaign key={campaign.id} campaign={campaign} />
      ))}
    </Part>
  );
}

function OneCampaign({ campaign }: { campaign: Campaign }): JSX.Element {
  const { state, trans } = useUi();
  const [all, setAll] = React.useState(false);
  const { name, host } = campaign;
  const act = async (action: 'stop' | 'resume') => {
    const text = trans.__('On all of its hosts: what runs is ended, and nothing more is started.');
    if (action === 'resume' || (await sure(trans.__('Stop the campaign %1?', name), text, trans.__('Stop'), trans))) {
      await carryOut(state, () => state.client.actOnCampaign(host, name, action));
    }
  };
  const words: Record<Campaign['state'], string> = {
    running: trans.__('running'),
    stopping: trans.__('stopping'),
    stopped: trans.__('stopped'),
    ended: trans.__('ended'),
    interrupted: trans.__('interrupted: nobody starts what waits')
  };
  const counts = Object.entries(campaign.counts).map(([step, count]) => `${count} ${stepWord(step as Step['state'], trans)}`);
  const unfinished = Object.keys(campaign.counts).some(one => !['finished', 'failed'].includes(one));
  const shown = all ? campaign.steps : campaign.steps.slice(0, STEPS_SHOWN);
  return (
    <details className="jr-Campaign" open={campaign.state === 'running'}>
      <summary>
        <strong>{name}</strong> {words[campaign.state]} · {counts.join(', ')} · {moment(campaign.created)}
        {campaign.hosts.length > 1 && ` · ${trans.__('on %1', campaign.hosts.join(', '))}`}
      </summary>
      <div className="jr-Campaign-tools">
        {campaign.state === 'running' && (
          <button className="jr-Button jr-mod-warn" onClick={() => void act('stop')}>
            {trans.__('Stop %1', name)}
          </button>
        )}
        {campaign.state !== 'running' && campaign.state !== 'stopping' && unfinished && (
          <button className="jr-Button" onClick={() => void act('resume')}>
            {trans.__('Resume %1', name)}
          </button>
        )}
      </div>
      <table className="jr-Table">
        <thead>
          <tr>
            <th>{trans.__('Step')}</th>
            <th>{trans.__('State')}</th>
            <th>{trans.__('Took')}</th>
            <th>{trans.__('Run')}</th>
            <th>{trans.__('Reason')}</th>
          </tr>
        </thead>
        <tbody>
          {shown.map(step => (
            <StepRow key={step.key} step={step} />
          ))}
        </tbody>
      </table>
      {shown.length < campaign.steps.length && (
        <button className="jr-Button" onClick={() => setAll(true)}>
          {trans.__('Show all %1 steps', campaign.steps.length)}
        </button>
      )}
    </details>
  );
}

function StepRow({ step }: { step: Step }): JSX.Element {
  const { commands, trans } = useUi();
  const run = step.runs[step.runs.length - 1];
  return (
    <tr className={`jr-mod-${step.state}`}>
      <td>{step.key}</td>
      <td>
        <span className="jr-Item-sign" aria-hidden="true">
          {stepSign(step.state)}
        </span>{' '}
        {stepWord(step.state, trans)}
        {step.runs.length > 1 && ` (${trans.__('try %1', step.runs.length)})`}
      </td>
      <td>{step.seconds === null ? '' : duration(step.seconds)}</td>
      <td>
        {run && (
          <button className="jr-Link" onClick={() => void commands.execute(CommandIDs.openRun, { run })}>
            {run}
          </button>
        )}
      </td>
      <td>{step.reason ?? (step.exit_code ? trans.__('exit code %1', step.exit_code) : '')}</td>
    </tr>
  );
}
