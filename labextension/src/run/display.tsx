/** What a run drew, opened from its log. */
import { Dialog, ReactWidget, showDialog } from '@jupyterlab/apputils';
import * as React from 'react';

import { tellError } from '../commands/report';
import type { IUi } from '../hooks';

const PICTURES = ['image/png', 'image/jpeg', 'image/gif', 'image/webp'];

/** Shows a display: its picture, else its plain text. Markup of hosts is not trusted, so it is not rendered. */
export async function showDisplay({ state, trans }: IUi, run: string, number: number): Promise<void> {
  try {
    const { data } = await state.client.display(run, number);
    const type = PICTURES.find(one => typeof data[one] === 'string');
    const svg = data['image/svg+xml'];
    let content = <pre>{words(data['text/plain'])}</pre>;
    if (type) {
      content = <img src={`data:${type};base64,${words(data[type]).replace(/\s/g, '')}`} alt={words(data['text/plain'])} />;
    } else if (svg !== undefined) {
      content = <img src={`data:image/svg+xml;charset=utf-8,${encodeURIComponent(words(svg))}`} alt={words(data['text/plain'])} />;
    }
    await showDialog({
      title: trans.__('Display %1', number),
      body: ReactWidget.create(<div className="jr-Preview">{content}</div>),
      buttons: [Dialog.okButton({ label: trans.__('Close') })]
    });
  } catch (error) {
    tellError(error);
  }
}

/** A value of a MIME bundle as one text. */
function words(value: unknown): string {
  return Array.isArray(value) ? value.join('') : typeof value === 'string' ? value : JSON.stringify(value ?? '', null, 2);
}
