/** What is in a file, as far as a page can show it safely: pictures, tables, text. */
import * as React from 'react';

import { useUi } from '../hooks';
import { bytes } from '../words';
import { rows } from './csv';

const IMAGES: Record<string, string> = {
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  gif: 'image/gif',
  webp: 'image/webp',
  // In an <img> no script of it runs.
  svg: 'image/svg+xml'
};
const TEXT_MOST = 256 * 1024;
const ROWS_MOST = 200;

/** Shows the bytes of `path`; the kind is told by its name. */
export function Preview({ path, blob }: { path: string; blob: Blob }): JSX.Element {
  const { trans } = useUi();
  const end = path.slice(path.lastIndexOf('.') + 1).toLowerCase();
  const type = IMAGES[end];
  const [text, setText] = React.useState<string | null>(null);
  const [url, setUrl] = React.useState('');
  React.useEffect(() => {
    if (type) {
      const made = URL.createObjectURL(new Blob([blob], { type }));
      setUrl(made);
      return () => URL.revokeObjectURL(made);
    }
    let ended = false;
    void blob
      .slice(0, TEXT_MOST)
      .arrayBuffer()
      .then(data => !ended && setText(decode(data)));
    return () => {
      ended = true;
    };
  }, [blob, type]);
  if (type) {
    return url ? <img src={url} alt={path} /> : <></>;
  }
  if (text === null) {
    return <p>{trans.__('No preview of this kind of file (%1).', bytes(blob.size))}</p>;
  }
  const cut = blob.size > TEXT_MOST ? <p>{trans.__('The first %1 of %2.', bytes(TEXT_MOST), bytes(blob.size))}</p> : null;
  if (end === 'csv' || end === 'tsv') {
    return (
      <>
        {cut}
        <Table text={text} separator={end === 'tsv' ? '\t' : ','} />
      </>
    );
  }
  return (
    <>
      {cut}
      <pre>{text}</pre>
    </>
  );
}

function Table({ text, separator }: { text: string; separator: string }): JSX.Element {
  const { trans } = useUi();
  const [head, ...body] = rows(text, separator, ROWS_MOST + 2);
  return (
    <>
      <table className="jr-Table">
        <thead>
          <tr>
            {(head ?? []).map((cell, index) => (
              <th key={index} scope="col">
                {cell}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {body.slice(0, ROWS_MOST).map((row, index) => (
            <tr key={index}>
              {row.map((cell, column) => (
                <td key={column}>{cell}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {body.length > ROWS_MOST && <p>{trans.__('The first %1 rows.', ROWS_MOST)}</p>}
    </>
  );
}

/** Text, or null where the bytes are none. */
function decode(data: ArrayBuffer): string | null {
  const text = new TextDecoder('utf-8').decode(data);
  const odd = text.slice(0, 4096).match(/[\x00-\x08\x0e-\x1f\ufffd]/g)?.length ?? 0;
  return odd > 8 ? null : text;
}
