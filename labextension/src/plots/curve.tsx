/** One metric of one or several runs as a small picture. */
import * as React from 'react';

import { number } from '../words';
import { path, range, ticks } from './scale';

/** Eight colours that colour-blind people can tell apart, from the style sheet; each has its own dashes beside. */
const COLOURS = 8;
const DASHES = ['', '6 3', '2 2', '8 3 2 3', '', '6 3', '2 2', '8 3 2 3'];

/** The look of the curve with this number. */
export function curveLook(index: number): { color: string; dash: string } {
  return { color: `var(--jr-curve-${index % COLOURS})`, dash: DASHES[(index + Math.floor(index / COLOURS)) % DASHES.length] };
}

export interface ICurve {
  name: string;
  steps: readonly (number | null)[];
  values: readonly (number | null)[];
}

const LEFT = 52;
const BOTTOM = 22;
const TOP = 8;

/** A picture with axes. `title` is the metric. */
export const CurvePicture = React.memo(function CurvePicture(props: { title: string; last?: number | string | null; curves: readonly ICurve[]; axis: string; wide?: boolean }): JSX.Element {
  const [W, H] = props.wide ? [760, 300] : [400, 190];
  const curves = props.curves.map(curve => ({
    ...curve,
    // A metric without steps is drawn by its own count.
    steps: curve.steps.some(step => step !== null) ? curve.steps : curve.values.map((_, index) => index)
  }));
  const x = range(curves.flatMap(curve => curve.steps));
  // Between two epochs there is nothing to be named.
  const whole = curves.every(curve => curve.steps.every(step => step === null || Number.isInteger(step)));
  const y = range(curves.flatMap(curve => curve.values));
  const place = (px: number, py: number): [number, number] => [
    LEFT + ((px - x.low) / (x.high - x.low)) * (W - LEFT - 8),
    TOP + (1 - (py - y.low) / (y.high - y.low)) * (H - TOP - BOTTOM)
  ];
  const words = curves.map(curve => `${curve.name}: ${curve.values.length}`).join(', ');
  return (
    <figure className="jr-Curve">
      <figcaption>
        <span>{props.title}</span>
        {props.last !== undefined && <span>{number(props.last)}</span>}
      </figcaption>
      <svg viewBox={`0 0 ${W} ${H}`} role="img" aria-label={`${props.title} (${words})`}>
        {ticks(y).map(tick => (
          <g key={tick}>
            <line className="jr-Curve-grid" x1={LEFT} x2={W - 8} y1={place(x.low, tick)[1]} y2={place(x.low, tick)[1]} />
            <text x={LEFT - 6} y={place(x.low, tick)[1] + 4} textAnchor="end">
              {number(tick)}
            </text>
          </g>
        ))}
        {ticks(x, whole).map(tick => (
          <text key={tick} x={place(tick, y.low)[0]} y={H - 6} textAnchor="middle">
            {number(tick)}
          </text>
        ))}
        <text x={W - 8} y={H - BOTTOM - 4} textAnchor="end">
          {props.axis}
        </text>
        {curves.map((curve, index) => {
          const look = curveLook(index);
          return (
            <path key={curve.name} className="jr-Curve-path" style={{ stroke: look.color }} strokeDasharray={look.dash} strokeLinecap="round" d={path(curve.steps, curve.values, place)} />
          );
        })}
      </svg>
    </figure>
  );
});
