/** A part of a host's view: its heading, what is wrong, and what stands there while there is nothing. */
import * as React from 'react';

import { useUi } from '../hooks';

/**
 * @param props.count how many there are; null while nobody knows.
 * @param props.none what is said when there are none.
 */
export function Part(props: { title: string; count: number | null; up: boolean; none: string; problem?: string; children: React.ReactNode }): JSX.Element {
  const { trans } = useUi();
  const { count } = props;
  const empty = count === null ? (props.up ? trans.__('Reading…') : trans.__('Not known: connect to the host.')) : props.none;
  return (
    <section className="jr-Part" aria-label={props.title}>
      <h3>
        {props.title}
        {count ? ` (${count})` : ''}
      </h3>
      {props.problem && <p className="jr-Run-problem">{props.problem}</p>}
      {!count && <p>{empty}</p>}
      {props.children}
    </section>
  );
}
