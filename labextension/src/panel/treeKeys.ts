/** The keys of a tree, as the ARIA practices have them; the tree is read from the page. */

/** What a key asks for that only the owner of the tree can do. */
export interface ITreeActions {
  expand(id: string, open: boolean): void;
  activate(id: string, item: HTMLElement): void;
}

/** Handles a key in a tree; true when it was one of the tree's. */
export function treeKey(tree: HTMLElement, event: KeyboardEvent, actions: ITreeActions): boolean {
  const current = (event.target as HTMLElement).closest<HTMLElement>('[role=treeitem]');
  // A key in a button of an item is the button's.
  if (!current || event.target !== current || event.ctrlKey || event.metaKey || event.altKey) {
    return false;
  }
  const items = [...tree.querySelectorAll<HTMLElement>('[role=treeitem]')];
  const at = items.indexOf(current);
  const expanded = current.getAttribute('aria-expanded');
  const id = current.dataset.id ?? '';
  switch (event.key) {
    case 'ArrowDown':
      focus(items, items[at + 1]);
      return true;
    case 'ArrowUp':
      focus(items, items[at - 1]);
      return true;
    case 'Home':
      focus(items, items[0]);
      return true;
    case 'End':
      focus(items, items[items.length - 1]);
      return true;
    case 'ArrowRight':
      if (expanded === 'false') {
        actions.expand(id, true);
      } else if (expanded === 'true') {
        focus(items, current.querySelector<HTMLElement>('[role=treeitem]') ?? undefined);
      }
      return true;
    case 'ArrowLeft':
      if (expanded === 'true') {
        actions.expand(id, false);
      } else {
        focus(items, current.parentElement?.closest<HTMLElement>('[role=treeitem]') ?? undefined);
      }
      return true;
    case 'Enter':
    case ' ':
      actions.activate(id, current);
      return true;
    default:
      return false;
  }
}

/** Gives an item the focus, and makes it the one that Tab comes to. */
export function focus(items: Iterable<HTMLElement>, item: HTMLElement | undefined): void {
  if (!item) {
    return;
  }
  for (const other of items) {
    other.tabIndex = other === item ? 0 : -1;
  }
  item.focus();
}
