/** Questions of hosts and runs, as dialogs; the answers go to the server and are kept nowhere. */
import { Dialog, ReactWidget } from '@jupyterlab/apputils';
import * as React from 'react';

import { ApiError } from '../api/client';
import type { Prompt } from '../api/models';
import type { IUi } from '../hooks';
import { tellError } from './report';

/** Asks one question after the other, and closes the dialog of one that was answered elsewhere. */
export class Questions {
  constructor(private readonly ui: IUi) {
    ui.state.store.on('prompts', () => this.look());
  }

  private look(): void {
    const { prompts } = this.ui.state.store;
    if (this.open && !prompts.some(prompt => prompt.id === this.open!.id)) {
      this.open.dialog.dispose();
    }
    const next = prompts.find(prompt => !this.answered.has(prompt.id));
    if (!this.open && next) {
      void this.ask(next);
    }
  }

  private async ask(prompt: Prompt): Promise<void> {
    const { trans, state } = this.ui;
    const titles: Record<Prompt['kind'], string> = {
      login: trans.__('Log in to %1', prompt.host),
      host_key: trans.__('Is this really %1?', prompt.host),
      input: trans.__('Input for a run on %1', prompt.host)
    };
    const body = new Question(prompt);
    const choices = prompt.choices
      .filter(choice => choice !== 'no')
      .map(choice => Dialog.okButton({ label: this.choiceLabel(choice), actions: [choice] }));
    const buttons = choices.length > 0 ? choices.reverse() : [Dialog.okButton({ label: trans.__('Send') })];
    const refuse = prompt.choices.includes('no') ? trans.__('No') : trans.__('Cancel');
    const dialog = new Dialog<string>({
      title: titles[prompt.kind],
      body,
      buttons: [Dialog.cancelButton({ label: refuse }), ...buttons],
      // Enter must not say yes to a key that nobody has read.
      defaultButton: prompt.kind === 'host_key' ? 0 : undefined,
      // A dialog gives the focus to its button, and takes it from a field that has asked for it.
      focusNodeSelector: choices.length > 0 ? '' : 'input'
    });
    dialog.addClass('jr-Question');
    this.open = { id: prompt.id, dialog };
    try {
      const result = await dialog.launch();
      this.answered.add(prompt.id);
      const answer = choices.length > 0 ? result.button.actions[0] : (result.value ?? '');
      await (result.button.accept ? state.client.answerPrompt(prompt.id, answer) : state.client.cancelPrompt(prompt.id));
    } catch (error) {
      // Taken back, or answered in another page: the dialog is closed, and there is nobody to answer.
      if (error instanceof ApiError && error.status !== 404 && error.status !== 409) {
        tellError(error);
      }
    } finally {
      this.open = null;
      this.look();
    }
  }

  private choiceLabel(choice: string): string {
    const { trans } = this.ui;
    const known: Record<string, string> = { yes: trans.__('Yes, and remember it'), once: trans.__('Yes, this once') };
    return known[choice] ?? choice;
  }

  private open: { id: string; dialog: Dialog<string> } | null = null;
  private readonly answered = new Set<string>();
}

/** The text of a question, and a field where any answer will do. */
class Question extends ReactWidget implements Dialog.IBodyWidget<string> {
  constructor(private readonly prompt: Prompt) {
    super();
  }

  getValue(): string {
    return this.node.querySelector('input')?.value ?? '';
  }

  protected render(): React.ReactElement {
    const { prompt } = this;
    const id = `jr-question-${prompt.id}`;
    if (prompt.choices.length > 0) {
      return <pre className="jr-Question-text">{prompt.text}</pre>;
    }
    return (
      <div className="jr-Form-field">
        {prompt.why && (
          <p className="jr-Question-why" id={`${id}-why`}>
            {prompt.why}
          </p>
        )}
        <label htmlFor={id} className="jr-Question-text">
          {prompt.text}
        </label>
        <input id={id} className="jp-mod-styled" type={prompt.secret ? 'password' : 'text'} autoComplete="off" aria-describedby={prompt.why ? `${id}-why` : undefined} />
      </div>
    );
  }
}
