/** Whether something is in sight or close to it: what is far is neither drawn nor sampled. */
import * as React from 'react';

/** Rows that come into sight are drawn a little before. */
const MARGIN_PX = 200;

/**
 * Watches an element.
 *
 * @returns whether it is near, and the height that it had when it was, to be kept while it is far.
 */
export function useNear(element: React.RefObject<HTMLElement>): { near: boolean; height: number } {
  const [state, setState] = React.useState({ near: false, height: 0 });
  React.useEffect(() => {
    const node = element.current;
    if (!node) {
      return;
    }
    const observer = new IntersectionObserver(
      entries => {
        const { isIntersecting, boundingClientRect } = entries[entries.length - 1];
        setState(before => {
          if (isIntersecting === before.near) {
            return before;
          }
          // A panel that is hidden has no height.
          const height = boundingClientRect.height || before.height;
          return { near: isIntersecting, height: isIntersecting ? before.height : height };
        });
      },
      { rootMargin: `${MARGIN_PX}px 0px` }
    );
    observer.observe(node);
    return () => observer.disconnect();
  }, [element]);
  return state;
}
