/** Dialogs with more than one field, and lists of findings. */
import { Dialog, ReactWidget, showDialog } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { Finding } from '../api/models';

/** One line to fill in. */
export interface IField {
  name: string;
  label: string;
  placeholder?: string;
  help?: string;
  value?: string;
  /** Offered while typing. */
  choices?: readonly string[];
}

/** Fields as a form; the first has the focus. */
class Form extends ReactWidget implements Dialog.IBodyWidget<Record<string, string>> {
  constructor(private readonly fields: readonly IField[]) {
    super();
    this.addClass('jr-Form');
  }

  getValue(): Record<string, string> {
    const values: Record<string, string> = {};
    for (const input of this.node.querySelectorAll('input')) {
      values[input.name] = input.value.trim();
    }
    return values;
  }

  protected render(): React.ReactElement {
    return (
      <>
        {this.fields.map(field => {
          const id = `${this.id}-${field.name}`;
          return (
            <div className="jr-Form-field" key={field.name}>
              <label htmlFor={id}>{field.label}</label>
              <input
                id={id}
                name={field.name}
                className="jp-mod-styled"
                defaultValue={field.value}
                placeholder={field.placeholder}
                spellCheck={false}
                autoComplete="off"
                aria-describedby={field.help ? `${id}-help` : undefined}
                list={field.choices ? `${id}-choices` : undefined}
              />
              {field.choices && (
                <datalist id={`${id}-choices`}>
                  {field.choices.map(choice => (
                    <option key={choice} value={choice} />
                  ))}
                </datalist>
              )}
              {field.help && (
                <small id={`${id}-help`} className="jr-Form-help">
                  {field.help}
                </small>
              )}
            </div>
          );
        })}
      </>
    );
  }
}

/** Asks for several lines; null when it is cancelled. */
export async function askFields(
  title: string,
  fields: readonly IField[],
  accept: string,
  trans: TranslationBundle
): Promise<Record<string, string> | null> {
  const body = new Form(fields);
  body.id = `jr-form-${++forms}`;
  const result = await showDialog({
    title,
    body,
    focusNodeSelector: 'input',
    buttons: [Dialog.cancelButton({ label: trans.__('Cancel') }), Dialog.okButton({ label: accept })]
  });
  return result.button.accept ? (result.value as Record<string, string>) : null;
}

let forms = 0;

const SIGNS: Record<Finding['state'], string> = { ok: '✓', warning: '!', failed: '✕', 'not applicable': '–' };

/** A sentence in which what stands between backticks is code. */
export function withCode(text: string): React.ReactNode[] {
  return text.split(/`([^`]+)`/).map((part, index) => (index % 2 ? <code key={index}>{part}</code> : part));
}

/** Shows the findings of `doctor` or `setup`, what is wrong first. */
export async function showFindings(host: string, findings: readonly Finding[], trans: TranslationBundle): Promise<void> {
  const order: Finding['state'][] = ['failed', 'warning', 'ok'];
  const shown = order.flatMap(state => findings.filter(finding => finding.state === state));
  const bad = findings.filter(finding => finding.state === 'failed' || finding.state === 'warning').length;
  const body = ReactWidget.create(
    <div className="jr-Findings">
      <p>
        {bad === 0
          ? trans.__('All %1 checks that apply passed.', shown.length)
          : trans._n('%1 of %2 checks needs a look.', '%1 of %2 checks need a look.', bad, shown.length)}
      </p>
      <ul tabIndex={0} aria-label={trans.__('Checks of %1', host)}>
        {shown.map(finding => (
          <li key={finding.name} className={`jr-Finding jr-mod-${finding.state}`}>
            <span aria-label={finding.state} role="img" className="jr-Finding-sign">
              {SIGNS[finding.state]}
            </span>
            <span>
              <strong>{finding.name}</strong> {withCode(finding.text)}
              {finding.remedy && finding.state !== 'ok' && <div className="jr-Finding-remedy">{withCode(finding.remedy)}</div>}
            </span>
          </li>
        ))}
      </ul>
    </div>
  );
  await showDialog({
    title: trans.__('Checks of %1', host),
    body,
    buttons: [Dialog.okButton({ label: trans.__('Close') })]
  });
}
