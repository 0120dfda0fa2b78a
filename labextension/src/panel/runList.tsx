/** All runs, newest first: filtered, chosen from, and only those in sight are in the page. */
import * as React from 'react';

import type { Run } from '../api/models';
import { ONGOING } from '../api/models';
import { CommandIDs } from '../commands/ids';
import { tellError } from '../commands/report';
import { useNow, useStore, useUi } from '../hooks';
import { runMatches } from '../state/changes';
import { scrollTo, visible } from '../viewport';
import { duration, elapsed, metricWords, moment, runTitle, STATE_SIGN, stateWord } from '../words';
import { openRunMenu, placeOf } from './menus';
import { RunBar } from './runBar';
import { choose } from './selection';

const ROW_PX = 44;

/** The list with its filter and the buttons for what is chosen. */
export function RunList(): JSX.Element {
  const { state, trans } = useUi();
  const ids = useStore('runs', () => state.store.runIds);
  const [words, setWords] = React.useState('');
  const [trash, setTrash] = React.useState(false);
  const [chosen, setChosen] = React.useState<ReadonlySet<string>>(new Set());
  const [next, setNext] = React.useState<string | null>(null);
  const shown = React.useMemo(
    () => ids.filter(id => { const run = state.store.run(id)!; return run.deleted === trash && runMatches(run, words); }),
    [ids, words, trash, state]
  );
  React.useEffect(() => {
    // What isn't here yet is looked for in the server's history.
    const timer = window.setTimeout(() => {
      if (state.available) {
        state.readRuns({ text: words, deleted: trash }).then(page => setNext(page.next), tellError);
      }
    }, 250);
    return () => window.clearTimeout(timer);
  }, [state, words, trash]);
  const more = () => {
    if (next !== null) {
      setNext(null);
      state.readRuns({ text: words, deleted: trash, before: next }).then(page => setNext(page.next), tellError);
    }
  };
  // In the order of the list; what has gone from it is not chosen any more.
  const runs = chosen.size === 0 ? [] : shown.filter(id => chosen.has(id));
  const box = React.useRef<HTMLDivElement>(null);
  return (
    <div className="jr-Runs">
      <div className="jr-Runs-tools">
        <input
          type="search"
          className="jp-mod-styled jr-Runs-filter"
          placeholder={trans.__('Filter runs')}
          aria-label={trans.__('Filter runs')}
          value={words}
          onChange={event => setWords(event.target.value)}
        />
        <button className="jr-Button" aria-pressed={trash} onClick={() => { setTrash(!trash); setChosen(new Set()); }}>
          {trans.__('Trash')}
        </button>
      </div>
      {shown.length === 0 ? (
        <p className="jr-Runs-none">{trash ? trans.__('The trash is empty.') : words ? trans.__('No run has these words.') : trans.__('No runs yet. Put %%%%remote HOST on a cell and run it.')}</p>
      ) : (
        <Rows ids={shown} chosen={chosen} runs={runs} choose={setChosen} atEnd={more} box={box} />
      )}
      <RunBar runs={runs} clear={() => setChosen(new Set())} list={box} />
    </div>
  );
}

function Rows(props: {
  ids: readonly string[];
  chosen: ReadonlySet<string>;
  /** Those of `chosen` that are in the list. */
  runs: string[];
  choose(ids: ReadonlySet<string>): void;
  atEnd(): void;
  box: React.RefObject<HTMLDivElement>;
}): JSX.Element {
  const { ids, chosen, box } = props;
  const { commands, trans } = useUi();
  const [sight, setSight] = React.useState({ top: 0, height: 400 });
  const [current, setCurrent] = React.useState<string | null>(null);
  const anchor = React.useRef<string | null>(null);
  React.useEffect(() => {
    const node = box.current!;
    const look = () => setSight({ top: node.scrollTop, height: node.clientHeight });
    const observer = new ResizeObserver(look);
    observer.observe(node);
    look();
    return () => observer.disconnect();
  }, [box]);
  const { first, last, offset } = visible(sight.top, sight.height, ROW_PX, ids.length, 4);
  React.useEffect(() => {
    if (last >= ids.length) {
      props.atEnd();
    }
    // Only when the end comes into sight, or there is a new end.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [last >= ids.length, ids.length]);

  const at = Math.max(0, current === null ? 0 : ids.indexOf(current));
  const pick = (id: string, event: { shiftKey: boolean; ctrlKey: boolean; metaKey: boolean }, toggle = event.ctrlKey || event.metaKey) => {
    setCurrent(id);
    props.choose(choose(ids, chosen, anchor.current, id, { range: event.shiftKey, toggle }));
    if (!event.shiftKey || anchor.current === null) {
      anchor.current = id;
    }
  };
  const go = (to: number, event: React.KeyboardEvent) => {
    const index = Math.min(Math.max(to, 0), ids.length - 1);
    if ((event.ctrlKey || event.metaKey) && !event.shiftKey) {
      setCurrent(ids[index]); // to another one that Space then chooses, too
    } else {
      pick(ids[index], event, event.ctrlKey);
    }
    const node = box.current!;
    const top = scrollTo(index, sight.height, ROW_PX, ids.length);
    if (top < node.scrollTop || top + ROW_PX > node.scrollTop + sight.height) {
      node.scrollTop = index > at ? Math.max(0, top - sight.height + ROW_PX) : top;
    }
  };
  const page = Math.max(1, Math.floor(sight.height / ROW_PX) - 1);
  const keys: Record<string, (event: React.KeyboardEvent) => void> = {
    ArrowDown: event => go(current === null ? 0 : at + 1, event),
    ArrowUp: event => go(at - 1, event),
    PageDown: event => go(at + page, event),
    PageUp: event => go(at - page, event),
    Home: event => go(0, event),
    End: event => go(ids.length - 1, event),
    Enter: () => void commands.execute(CommandIDs.openRun, { run: ids[at] }),
    ' ': event => pick(ids[at], event, true),
    Escape: () => props.choose(new Set()),
    Delete: () => props.runs.length > 0 && void commands.execute(CommandIDs.run('delete'), { runs: props.runs }),
    a: () => props.choose(new Set(ids))
  };
  // With Ctrl only those that mean something; all others are JupyterLab's.
  const withCtrl = new Set(['ArrowDown', 'ArrowUp', 'Home', 'End', ' ', 'a']);
  const menu = (event: React.MouseEvent, id: string) => {
    event.preventDefault();
    event.stopPropagation();
    const about = chosen.has(id) ? props.runs : [id];
    openRunMenu(commands, about, placeOf(event));
  };
  return (
    <div
      ref={box}
      className="jr-Runs-rows"
      role="listbox"
      aria-multiselectable="true"
      aria-label={trans.__('Runs')}
      aria-activedescendant={current !== null && at >= first && at < last ? `jr-row-${current}` : undefined}
      tabIndex={0}
      onScroll={event => setSight({ top: event.currentTarget.scrollTop, height: event.currentTarget.clientHeight })}
      onKeyDown={event => {
        const key = keys[event.key];
        const ctrl = event.ctrlKey || event.metaKey;
        if (key && !event.altKey && (ctrl ? withCtrl.has(event.key) : event.key !== 'a')) {
          event.preventDefault();
          event.stopPropagation();
          key(event);
        }
      }}
      onContextMenu={event => current !== null && event.target === event.currentTarget && menu(event, current)}
    >
      <div role="presentation" style={{ height: ids.length * ROW_PX }}>
        <div role="presentation" style={{ transform: `translateY(${offset}px)` }}>
          {ids.slice(first, last).map((id, index) => (
            <Row
              key={id}
              id={id}
              position={first + index}
              count={ids.length}
              chosen={chosen.has(id)}
              current={id === current}
              click={event => pick(id, event)}
              open={() => void commands.execute(CommandIDs.openRun, { run: id })}
              menu={event => menu(event, id)}
            />
          ))}
        </div>
      </div>
    </div>
  );
}

function Row(props: {
  id: string;
  position: number;
  count: number;
  chosen: boolean;
  current: boolean;
  click(event: React.MouseEvent): void;
  open(): void;
  menu(event: React.MouseEvent): void;
}): JSX.Element | null {
  const { state, trans } = useUi();
  const run: Run | undefined = useStore(`run:${props.id}`, () => state.store.run(props.id));
  const now = useNow(run !== undefined && ONGOING.has(run.state));
  if (!run) {
    return null;
  }
  const took = elapsed(run, now);
  const about = [run.host, moment(run.created), took === null ? '' : duration(took), metricWords(run)].filter(Boolean).join(' · ');
  return (
    <div
      id={`jr-row-${run.id}`}
      role="option"
      aria-selected={props.chosen}
      aria-setsize={props.count}
      aria-posinset={props.position + 1}
      className={`jr-RunRow jr-mod-${run.state}${props.current ? ' jr-mod-current' : ''}`}
      style={{ height: ROW_PX }}
      title={run.id}
      onClick={props.click}
      onDoubleClick={props.open}
      onContextMenu={props.menu}
    >
      <span className="jr-Item-sign" role="img" aria-label={stateWord(run.state, trans)}>
        {STATE_SIGN[run.state]}
      </span>
      <span className="jr-RunRow-text">
        <span className="jr-RunRow-title">{runTitle(run)}</span>
        <span className="jr-RunRow-about">{about}</span>
      </span>
    </div>
  );
}
