/** A line with ANSI colours, cut into pieces of one look each. Pure; see `row.ts` for the page's side. */

/** How a piece looks; colours are CSS values or numbers of JupyterLab's sixteen. */
export interface ILook {
  color?: string;
  background?: string;
  bold?: boolean;
  dim?: boolean;
  italic?: boolean;
  underline?: boolean;
  strike?: boolean;
  inverse?: boolean;
}

export interface IPiece {
  text: string;
  look: ILook;
}

const NAMES = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'];
const SEQUENCE = /\x1b\[([0-9;:]*)m/g;
// What a terminal would act on or not show. The server sends none; nothing is lost by being careful.
const HIDDEN = /\x1b\[[0-9;:?]*[A-Za-ln-z]|[\x00-\x08\x0b-\x1f\x7f]/g;

/** Cuts a line; most lines have no colours and are one piece. */
export function pieces(line: string): IPiece[] {
  if (!line.includes('\x1b')) {
    return line === '' ? [] : [{ text: line.replace(HIDDEN, ''), look: {} }];
  }
  const found: IPiece[] = [];
  let look: ILook = {};
  let at = 0;
  const add = (text: string) => {
    const shown = text.replace(HIDDEN, '');
    if (shown !== '') {
      found.push({ text: shown, look });
    }
  };
  for (const match of line.matchAll(SEQUENCE)) {
    add(line.slice(at, match.index));
    look = changed(look, match[1]);
    at = match.index + match[0].length;
  }
  add(line.slice(at));
  return found;
}

/** The look after a sequence `ESC [ codes m`. */
export function changed(before: ILook, codes: string): ILook {
  let look = { ...before };
  const numbers = codes.split(/[;:]/).map(code => (code === '' ? 0 : Number(code)));
  for (let i = 0; i < numbers.length; i++) {
    const code = numbers[i];
    if (code === 38 || code === 48) {
      const [color, used] = extended(numbers.slice(i + 1));
      look[code === 38 ? 'color' : 'background'] = color;
      i += used;
    } else {
      look = simple(look, code);
    }
  }
  return look;
}

function simple(look: ILook, code: number): ILook {
  if (code >= 30 && code <= 37) {
    return { ...look, color: named(code - 30, false) };
  }
  if (code >= 90 && code <= 97) {
    return { ...look, color: named(code - 90, true) };
  }
  if (code >= 40 && code <= 47) {
    return { ...look, background: named(code - 40, false) };
  }
  if (code >= 100 && code <= 107) {
    return { ...look, background: named(code - 100, true) };
  }
  switch (code) {
    case 0:
      return {};
    case 1:
      return { ...look, bold: true };
    case 2:
      return { ...look, dim: true };
    case 3:
      return { ...look, italic: true };
    case 4:
      return { ...look, underline: true };
    case 7:
      return { ...look, inverse: true };
    case 9:
      return { ...look, strike: true };
    case 22:
      return { ...look, bold: false, dim: false };
    case 23:
      return { ...look, italic: false };
    case 24:
      return { ...look, underline: false };
    case 27:
      return { ...look, inverse: false };
    case 29:
      return { ...look, strike: false };
    case 39:
      return { ...look, color: undefined };
    case 49:
      return { ...look, background: undefined };
    default:
      return look;
  }
}

/** A colour of the palette of 256, or of red, green and blue; and how many numbers it took. */
function extended(numbers: number[]): [string | undefined, number] {
  if (numbers[0] === 5) {
    return [palette(numbers[1]), 2];
  }
  if (numbers[0] === 2) {
    const [r, g, b] = numbers.slice(1, 4).map(byte);
    return [`rgb(${r}, ${g}, ${b})`, 4];
  }
  return [undefined, numbers.length];
}

function palette(index: number): string | undefined {
  if (!(index >= 0 && index <= 255)) {
    return undefined;
  }
  if (index < 16) {
    return named(index % 8, index >= 8);
  }
  if (index >= 232) {
    const grey = 8 + (index - 232) * 10;
    return `rgb(${grey}, ${grey}, ${grey})`;
  }
  const levels = [0, 95, 135, 175, 215, 255];
  const cube = index - 16;
  return `rgb(${levels[Math.floor(cube / 36)]}, ${levels[Math.floor(cube / 6) % 6]}, ${levels[cube % 6]})`;
}

/** JupyterLab's own colours for outputs, which go with its themes. */
function named(index: number, bright: boolean): string {
  return `var(--jp-ansi-${NAMES[index]}${bright ? '-intense' : ''}, ${bright ? BRIGHT[index] : DARK[index]})`;
}

// As in JupyterLab's outputs, where they are rules and no variables.
const DARK = ['#3e424d', '#e75c58', '#00a250', '#ddb62b', '#208ffb', '#d160c4', '#60c6c8', '#c5c1b4'];
const BRIGHT = ['#282c36', '#b22b31', '#007427', '#b27d12', '#0065ca', '#a03196', '#258f8f', '#a1a6b2'];

function byte(value: number | undefined): number {
  return Math.min(255, Math.max(0, value ?? 0));
}
