/** A question before something is done that can't be taken back. */
import { Dialog, showDialog } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';

/** Asks; whether the user wants it. */
export async function sure(title: string, body: string, accept: string, trans: TranslationBundle): Promise<boolean> {
  const result = await showDialog({
    title,
    body,
    buttons: [Dialog.cancelButton({ label: trans.__('Cancel') }), Dialog.warnButton({ label: accept })]
  });
  return result.button.accept;
}
