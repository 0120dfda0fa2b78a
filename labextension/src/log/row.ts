/** One line of a log in the page: text nodes and spans, never markup. */
import type { Line } from '../api/models';
import { ILook, pieces } from './ansi';

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
  row.replaceChildren(...pieces(line.text).map(piece => element(piece.text, piece.look)));
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

function element(text: string, look: ILook): Node {
  const node = document.createTextNode(text);
  const classes = (['bold', 'dim', 'italic', 'underline', 'strike'] as const).filter(name => look[name]);
  const [color, background] = look.inverse
    ? [look.background ?? 'var(--jp-layout-color1)', look.color ?? 'var(--jp-content-font-color1)']
    : [look.color, look.background];
  if (classes.length === 0 && !color && !background) {
    return node;
  }
  const span = document.createElement('span');
  // Each of these costs something, and thousands of spans are made in a second of scrolling.
  if (classes.length > 0) {
    span.className = classes.map(name => `ansi-${name}`).join(' ');
  }
  if (color) {
    span.style.color = color;
  }
  if (background) {
    span.style.backgroundColor = background;
  }
  span.append(node);
  return span;
}
