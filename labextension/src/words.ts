/** Numbers, times and states in words. */
import { TranslationBundle } from '@jupyterlab/translation';

import type { Host, Run, State, Step } from './api/models';
import { ONGOING } from './api/models';

const UNITS = ['B', 'K', 'M', 'G', 'T', 'P'];

/** `31.5G`, as the rest of jupyter_remote writes sizes. */
export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined) {
    return '–';
  }
  let number = value;
  let unit = 0;
  while (number >= 1024 && unit < UNITS.length - 1) {
    number /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || number >= 99.95 ? 0 : 1;
  return `${number.toFixed(digits).replace(/\.0$/, '')}${unit === 0 ? ' ' : ''}${UNITS[unit]}`;
}

/** `4.2 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`. */
export function duration(seconds: number): string {
  const s = Math.max(0, seconds);
  if (s < 10) {
    return `${s.toFixed(1)} s`;
  }
  const whole = Math.round(s);
  if (whole < 60) {
    return `${whole} s`;
  }
  if (whole < 3600) {
    return two(Math.floor(whole / 60), 'min', whole % 60, 's');
  }
  const minutes = Math.floor(whole / 60);
  return minutes < 1440
    ? two(Math.floor(minutes / 60), 'h', minutes % 60, 'min')
    : two(Math.floor(minutes / 1440), 'd', Math.floor((minutes % 1440) / 60), 'h');
}

function two(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

/** Four digits that matter: `0.0123`, `1.234e-7`, `12350`. */
export function number(value: number | string | null): string {
  if (value === null || typeof value === 'string') {
    return value ?? '–';
  }
  if (!Number.isFinite(value)) {
    return String(value).toLowerCase().replace('infinity', 'inf');
  }
  if (Number.isInteger(value) && Math.abs(value) < 1e7) {
    return String(value);
  }
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-4 || size >= 1e7) ? value.toExponential(3) : String(Number(value.toPrecision(4)));
}

/** How long the run has taken up to `now` (seconds since the epoch), or null when it hasn't started. */
export function elapsed(run: Run, now: number): number | null {
  if (ONGOING.has(run.state)) {
    const since = run.started ?? (run.state === 'running' ? run.created : null);
    return since === null ? null : now - since;
  }
  return run.seconds ?? (run.ended === null || run.started === null ? null : run.ended - run.started);
}

/** `2026-11-22 01:45`, or the time alone for today. */
export function moment(seconds: number | null, now = new Date()): string {
  if (seconds === null) {
    return '–';
  }
  const date = new Date(seconds * 1000);
  const two = (part: number) => String(part).padStart(2, '0');
  const time = `${two(date.getHours())}:${two(date.getMinutes())}`;
  return date.toDateString() === now.toDateString()
    ? time
    : `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${time}`;
}

/** What a run is called in a list: its label, else what it ran. */
export function runTitle(run: Run): string {
  const code = (run.command ?? run.source ?? '').trim();
  const line = code.split('\n').find(text => text.trim() !== '' && !text.startsWith('%%')) ?? code;
  return run.label || line.trim() || run.id;
}

/** The first metrics of a run in words: `loss 0.123 · acc 0.98`. */
export function metricWords(run: Run, most = 2): string {
  return Object.entries(run.metrics)
    .slice(0, most)
    .map(([name, value]) => `${name} ${number(value)}`)
    .join(' · ');
}

/** Shapes as well as colours, so that states can be told apart without colours. */
export const STATE_SIGN: Record<State, string> = {
  queued: '◌',
  starting: '◔',
  running: '▶',
  finished: '✓',
  failed: '✕',
  stopped: '■',
  lost: '?'
};

/** The state of a run, translated. */
export function stateWord(state: State, trans: TranslationBundle): string {
  const words: Record<State, string> = {
    queued: trans.__('queued'),
    starting: trans.__('starting'),
    running: trans.__('running'),
    finished: trans.__('finished'),
    failed: trans.__('failed'),
    stopped: trans.__('stopped'),
    lost: trans.__('lost')
  };
  return words[state];
}

/** The state of a host, translated. */
export function hostStateWord(state: Host['state'], trans: TranslationBundle): string {
  const words: Record<Host['state'], string> = {
    unknown: trans.__('not connected'),
    connecting: trans.__('connecting'),
    connected: trans.__('connected'),
    down: trans.__('down')
  };
  return words[state];
}

/** The sign of a campaign's step: that of its run, or of one that has none. */
export function stepSign(state: Step['state']): string {
  return state === 'waiting' ? '…' : state === 'skipped' ? '↷' : STATE_SIGN[state];
}

/** The state of a campaign's step, translated. */
export function stepWord(state: Step['state'], trans: TranslationBundle): string {
  return state === 'waiting' ? trans.__('waiting') : state === 'skipped' ? trans.__('skipped') : stateWord(state, trans);
}
