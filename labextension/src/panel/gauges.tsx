/** What a host does at this moment: bars of its GPUs, load and memory in words. */
import * as React from 'react';

import type { Gpu } from '../api/models';
import { useStore, useUi } from '../hooks';
import { bytes, number } from '../words';

/** A bar in percent with its value in words. */
function Bar(props: { value: number; label: string; className?: string }): JSX.Element {
  const share = Math.min(100, Math.max(0, props.value));
  return (
    <span
      className={`jr-Bar ${props.className ?? ''}`}
      role="meter"
      aria-label={props.label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(share)}
    >
      <span className="jr-Bar-fill" style={{ transform: `scaleX(${share / 100})` }} />
    </span>
  );
}

/** `30/80G`: whole units, for the column is narrow; the tooltip has the rest. */
function memoryWords(gpu: Gpu): string {
  if (!gpu.memory_total) {
    return '–';
  }
  const giga = 1024 ** 3;
  return `${Math.round((gpu.memory_used ?? 0) / giga)}/${Math.round(gpu.memory_total / giga)}G`;
}

const GpuRow = React.memo(function GpuRow({ gpu }: { gpu: Gpu }): JSX.Element {
  const { trans } = useUi();
  const memory = gpu.memory_total ? (100 * (gpu.memory_used ?? 0)) / gpu.memory_total : 0;
  const title = [gpu.name, trans.__('%1 of %2 used', bytes(gpu.memory_used), bytes(gpu.memory_total)), ...gpu.who, gpu.temperature !== null ? `${gpu.temperature} °C` : '', gpu.power !== null ? `${Math.round(gpu.power)} W` : '']
    .filter(Boolean)
    .join(' · ');
  return (
    <div className={`jr-Gpu${gpu.leased ? ' jr-mod-leased' : ''}`} title={title}>
      <span className="jr-Gpu-index">{gpu.index}</span>
      <Bar value={gpu.use ?? 0} label={trans.__('GPU %1: use', gpu.index)} />
      <span className="jr-Gpu-use">{gpu.use === null ? '–' : `${Math.round(gpu.use)} %`}</span>
      <Bar value={memory} label={trans.__('GPU %1: memory', gpu.index)} className="jr-mod-memory" />
      <span className="jr-Gpu-memory">{memoryWords(gpu)}</span>
    </div>
  );
});

/** GPUs, load and memory of a host, as last sampled. */
export const Gauges = React.memo(function Gauges({ host }: { host: string }): JSX.Element | null {
  const { state, trans } = useUi();
  const sample = useStore(`sample:${host}`, () => state.store.sample(host));
  if (!sample) {
    return null;
  }
  const words = [
    sample.cpu === null ? '' : trans.__('CPU %1 %', Math.round(sample.cpu)),
    sample.load?.length ? trans.__('load %1', number(sample.load[0])) : '',
    sample.memory?.available ? trans.__('%1 free', bytes(sample.memory.available)) : ''
  ];
  return (
    <div className="jr-Gauges">
      <div className="jr-Gauges-words">{words.filter(Boolean).join(' · ')}</div>
      {sample.gpus.map(gpu => (
        <GpuRow key={gpu.index} gpu={gpu} />
      ))}
      {sample.gpu_error && <div className="jr-Gauges-error">{sample.gpu_error}</div>}
    </div>
  );
});
