/** Files of the file browser as the files of a workspace. No DOM. */

/** What is selected, as paths below the server's root. */
export interface ISelected {
  path: string;
  folder: boolean;
}

/**
 * The workspace that files belong to: the nearest folder above all of them that has an open notebook, since a
 * notebook's folder is its workspace; else the folder that they are in.
 *
 * @param notebooks paths of open notebooks.
 * @param shown the folder that the browser shows.
 */
export function workspaceOf(selected: readonly ISelected[], notebooks: readonly string[], shown: string): string {
  const folders = new Set(notebooks.map(path => folderOf(path)));
  for (let folder = shown; ; folder = folderOf(folder)) {
    if (folders.has(folder) && selected.every(({ path }) => isBelow(path, folder))) {
      return folder;
    }
    if (folder === '') {
      return shown;
    }
  }
}

/** A path as it is in a workspace, or null when it is not in it. */
export function within(path: string, workspace: string): string | null {
  return isBelow(path, workspace) ? path.slice(workspace === '' ? 0 : workspace.length + 1) : null;
}

/** The pattern of a .gitignore that means this path and nothing else. */
export function patternOf({ path, folder }: ISelected): string {
  return `/${path.replace(/[\\*?[\]!#]|\s/g, character => `\\${character}`)}${folder ? '/' : ''}`;
}

function isBelow(path: string, folder: string): boolean {
  return folder === '' ? path !== '' : path.startsWith(`${folder}/`);
}

/** Splits at white space, but not behind a backslash. */
export function patternsIn(text: string): string[] {
  return text.match(/(?:\\.|\S)+/g) ?? [];
}

function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}
