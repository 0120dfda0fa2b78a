/** One line of a log in the page: text nodes and spans, never markup. */
import type { Line } from '../api/models';
import { ILook, IPiece, pieces } from './ansi';

/**
 * Fills a row with a line.
 *
 * @param line to show, or undefined while it is fetched.
 * @param show opens a display that stands there.
 */
export function fillRow(row: HTMLElement, line: Line | undefined, show: (display: number) => void): void {
  row.className = line === undefined || line.stream === 'stdout' ? 'jr-Log-line' : `jr-Log-line jr-mod-${line.stream}`;
  if (line === undefined) {
    row.replaceChildren();
    return;
  }
  const parts = pieces(line.text);
  if (!refill(row, parts)) {
    row.replaceChildren(...parts.map(piece => element(piece.text, piece.look)));
  }
  if (line.display !== undefined) {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = (line.mime ?? []).find(type => type.startsWith('image/')) ? '🖼 show' : 'show';
    button.title = (line.mime ?? []).join(', ');
    const display = line.display;
    button.addEventListener('click', () => show(display));
    row.append(button);
  }
}

/**
 * Puts the texts into the nodes that a row has, where they are of the same kinds: thousands of lines go by in a second
 * of scrolling, and new nodes cost the browser several times what new texts do. False where they are others.
 */
function refill(row: HTMLElement, parts: readonly IPiece[]): boolean {
  const nodes = row.childNodes;
  if (nodes.length !== parts.length) {
    return false;
  }
  for (let i = 0; i < parts.length; i++) {
    if (nodes[i].nodeName !== (isPlain(parts[i].look) ? '#text' : 'SPAN')) {
      return false;
    }
  }
  parts.forEach(({ text, look }, i) => {
    const node = nodes[i];
    if (node instanceof Text) {
      node.data = text;
      return;
    }
    if (looks.get(node) !== look) {
      dress(node as HTMLElement, look);
    }
    (node.firstChild as Text).data = text;
  });
  return true;
}

/** What each span was made to look like. */
const looks = new WeakMap<Node, ILook>();

function isPlain(look: ILook): boolean {
  return !(look.color || look.background || look.inverse || look.bold || look.dim || look.italic || look.underline || look.strike);
}

function element(text: string, look: ILook): Node {
  const node = document.createTextNode(text);
  if (isPlain(look)) {
    return node;
  }
  const span = document.createElement('span');
  dress(span, look);
  span.append(node);
  return span;
}

function dress(span: HTMLElement, look: ILook): void {
  const classes = (['bold', 'dim', 'italic', 'underline', 'strike'] as const).filter(name => look[name]);
  const [color, background] = look.inverse
    ? [look.background ?? 'var(--jp-layout-color1)', look.color ?? 'var(--jp-content-font-color1)']
    : [look.color, look.background];
  // Each of these costs something, so it is not said again.
  const name = classes.map(one => `ansi-${one}`).join(' ');
  if (span.className !== name) {
    span.className = name;
  }
  const before = looks.get(span);
  if (!before || before.inverse || look.inverse || before.color !== look.color || before.background !== look.background) {
    span.style.color = color ?? '';
    span.style.backgroundColor = background ?? '';
  }
  looks.set(span, look);
}
