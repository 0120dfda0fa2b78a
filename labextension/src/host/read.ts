/** Reading what a host has, once and again when it is connected to; changes come as events. */
import * as React from 'react';

import { ApiError } from '../api/client';
import type { Problem } from '../api/models';
import { problemText } from '../commands/report';

/** What is wrong, as a text, and when the host last said how it is: null for never. */
export function useRead(read: () => Promise<{ seen: number | null; problem: Problem | null }>, up: boolean): { problem: string; seen: number | null } {
  const [told, setTold] = React.useState<{ problem: string; seen: number | null }>({ problem: '', seen: null });
  const again = React.useRef(read);
  again.current = read;
  React.useEffect(() => {
    let ended = false;
    again.current().then(
      answer => !ended && setTold({ problem: answer.problem ? problemText(answer.problem) : '', seen: answer.seen }),
      error => !ended && setTold({ problem: error instanceof ApiError ? problemText(error.problem) : String(error), seen: null })
    );
    return () => {
      ended = true;
    };
  }, [up]);
  return told;
}
