/** Runs that were refused, by reason. Pure. */
import type { Refusal } from '../api/models';

/** Runs that were refused for one reason. */
export interface IRefusals {
  host: string | null;
  message: string;
  hint: string;
  runs: string[];
}

/** Puts those together that were refused for the same reason, as those of a host that is down. */
export function grouped(refused: readonly Refusal[]): IRefusals[] {
  const groups = new Map<string, IRefusals>();
  for (const { run, host, problem } of refused) {
    const key = JSON.stringify([host, problem.message, problem.hint]);
    const group = groups.get(key);
    if (group) {
      group.runs.push(run);
    } else {
      groups.set(key, { host, message: problem.message, hint: problem.hint, runs: [run] });
    }
  }
  return [...groups.values()];
}
