/** What is executed when a cell is sent to a host: its text with a first line that says so. No DOM. */

/** Hosts as the magics take them: names, lists with commas, groups with an @. Nothing that could be an option. */
const HOSTS = /^[A-Za-z0-9_@.][A-Za-z0-9_@.,:+-]{0,500}$/;
const REMOTE = /^%%(?:remote|autoremote)(?:[ \t]+(.*))?$/;
const LOCAL = /^%%local[ \t]*$/;

/** Whether these are words for hosts, and nothing else that could get into a magic's line. */
export function namesHosts(words: unknown): words is string {
  return typeof words === 'string' && HOSTS.test(words);
}

/** The text that runs a cell on a host; empty where the cell has nothing to run. */
export function sentTo(source: string, host: string): string {
  if (!namesHosts(host)) {
    throw new Error(`${JSON.stringify(host)} is not the name of a host`);
  }
  const text = source.replace(/^(?:[ \t]*\n)+/, '');
  const end = text.indexOf('\n');
  const first = (end < 0 ? text : text.slice(0, end)).trimEnd();
  const rest = end < 0 ? '' : text.slice(end + 1);
  const said = REMOTE.exec(first);
  const body = said || LOCAL.test(first) ? rest : text;
  if (body.trim() === '') {
    return '';
  }
  return `%%remote ${[host, ...(said ? options(said[1] ?? '') : [])].join(' ')}\n${body}`;
}

/** The words of a `%%remote` line without the hosts, which come first where they are named. */
function options(words: string): string[] {
  const text = words.trim();
  if (text === '') {
    return [];
  }
  return text.startsWith('-') ? [text] : text.split(/\s+(.*)/s).slice(1, 2).filter(word => word !== '');
}

/** Whether running this text may have loaded the extension of IPython, or used it. */
export function mentionsRemote(source: string): boolean {
  return /(^|\n)\s*(%load_ext\s+jupyter_remote|%%?(?:auto)?remote\b)|\bjupyter_remote\b/.test(source);
}
