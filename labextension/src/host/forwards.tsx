/** Ports of a host that lead to the server's machine: those there are, and one more. */
import * as React from 'react';

import type { Forward } from '../api/models';
import { carryOut } from '../commands/report';
import { useStore, useUi } from '../hooks';
import { moment } from '../words';
import { Part } from './part';

/** Whether this page comes from the machine on which a forward listens. */
export function isHere(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\./.test(hostname);
}

/** A port as it was typed; null when it is none. */
export function port(text: string): number | null {
  return /^\d{1,5}$/.test(text.trim()) && Number(text) >= 1 && Number(text) <= 65535 ? Number(text) : null;
}

export function ForwardsPart({ host }: { host: string }): JSX.Element {
  const { state, trans } = useUi();
  const every = useStore('forwards', () => state.store.belongings.forwards);
  const forwards = every.filter(one => one.host === host);
  return (
    <Part title={trans.__('Forwarded ports')} count={forwards.length} up={true} none={trans.__('None.')}>
      {forwards.length > 0 && (
        <table className="jr-Table">
          <thead>
            <tr>
              <th>{trans.__('Here')}</th>
              <th>{trans.__('Leads to')}</th>
              <th>{trans.__('Since')}</th>
              <th>{trans.__('Last error')}</th>
              <th>
                <span className="jr-Hidden">{trans.__('Actions')}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {forwards.map(one => (
              <Row key={one.id} one={one} />
            ))}
          </tbody>
        </table>
      )}
      <Open host={host} />
      {!isHere(window.location.hostname) && <p className="jr-Form-help">{trans.__('They listen on the machine of the Jupyter server, for it alone.')}</p>}
    </Part>
  );
}

function Row({ one }: { one: Forward }): JSX.Element {
  const { state, trans } = useUi();
  return (
    <tr>
      <td>
        {isHere(window.location.hostname) ? (
          <a className="jr-Link" href={one.url} target="_blank" rel="noopener noreferrer">
            {one.url}
          </a>
        ) : (
          one.url
        )}
      </td>
      <td>{one.to ? trans.__('port %1 of %2', one.port, one.to) : trans.__('port %1', one.port)}</td>
      <td>{moment(one.since)}</td>
      <td>{one.error}</td>
      <td>
        <button className="jr-Button" aria-label={trans.__('End %1', one.url)} onClick={() => void carryOut(state, () => state.client.endForward(one.id))}>
          {trans.__('End')}
        </button>
      </td>
    </tr>
  );
}

function Open({ host }: { host: string }): JSX.Element {
  const { state, trans } = useUi();
  const [text, setText] = React.useState('');
  const wanted = port(text);
  return (
    <form
      className="jr-Part-form"
      onSubmit={event => {
        event.preventDefault();
        if (wanted !== null) {
          void carryOut(state, () => state.client.openForward(host, { port: wanted })).then(done => done && setText(''));
        }
      }}
    >
      <label>
        {trans.__('Port of %1', host)}{' '}
        <input className="jp-mod-styled" inputMode="numeric" size={6} value={text} aria-invalid={text !== '' && wanted === null} onChange={event => setText(event.target.value)} />
      </label>
      <button className="jr-Button" type="submit" disabled={wanted === null}>
        {trans.__('Forward')}
      </button>
    </form>
  );
}
