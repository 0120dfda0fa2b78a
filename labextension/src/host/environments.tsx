/** Environments of a host: what is in them, who uses them, and their removal. */
import * as React from 'react';

import type { Environment } from '../api/models';
import { carryOut } from '../commands/report';
import { sure } from '../commands/sure';
import { useStore, useUi } from '../hooks';
import { bytes, moment } from '../words';
import { Part } from './part';
import { useRead } from './read';

export function EnvironmentsPart({ host, up }: { host: string; up: boolean }): JSX.Element {
  const { state, trans } = useUi();
  const { belongings } = state.store;
  const environments = useStore(`environments:${host}`, () => belongings.environments(host));
  const { problem, seen } = useRead(async () => {
    const answer = await state.client.environments(host);
    belongings.setEnvironments(host, answer.environments);
    return answer;
  }, up);
  const count = seen === null && !environments?.length ? null : (environments?.length ?? null);
  return (
    <Part title={trans.__('Environments')} count={count} up={up} problem={problem} none={trans.__('None: %%remote env create makes one.')}>
      {environments && environments.length > 0 && (
        <table className="jr-Table">
          <thead>
            <tr>
              <th>{trans.__('Name')}</th>
              <th>{trans.__('Python')}</th>
              <th>{trans.__('Packages')}</th>
              <th>{trans.__('Size')}</th>
              <th>{trans.__('Last used')}</th>
              <th>{trans.__('Used by')}</th>
              <th>
                <span className="jr-Hidden">{trans.__('Actions')}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {environments.map(one => (
              <Row key={one.digest} host={host} one={one} />
            ))}
          </tbody>
        </table>
      )}
    </Part>
  );
}

function Row({ host, one }: { host: string; one: Environment }): JSX.Element {
  const { state, trans } = useUi();
  const name = one.names[0] ?? one.digest;
  const users = [...(one.configured ? [trans.__('python of %1', host)] : []), ...one.sessions.map(session => trans.__('session %1', session))];
  const remove = async () => {
    const others = one.names.slice(1);
    const text =
      others.length > 0
        ? trans.__('Only this name goes; the environment stays as %1.', others.join(', '))
        : trans.__('It is deleted from the host (%1). `env create` can make it again.', bytes(one.size));
    const warned = one.configured ? `${text} ${trans.__('The host’s `python` still names it.')}` : text;
    if (await sure(trans.__('Remove %1 from %2?', name, host), warned, trans.__('Remove'), trans)) {
      await carryOut(state, () => state.client.removeEnvironment(host, name));
    }
  };
  return (
    <tr>
      <td title={one.digest}>{one.names.join(', ') || one.digest}</td>
      <td>{one.whole ? one.python : trans.__('not whole')}</td>
      <td className="jr-mod-number">{one.packages}</td>
      <td className="jr-mod-number">{bytes(one.size)}</td>
      <td>{moment(one.used)}</td>
      <td>{users.join(', ')}</td>
      <td>
        <button className="jr-Button" aria-label={trans.__('Remove %1', name)} onClick={() => void remove()}>
          {trans.__('Remove…')}
        </button>
      </td>
    </tr>
  );
}
