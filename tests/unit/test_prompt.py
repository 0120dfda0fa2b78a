"""Answers that are given again: the secret ones, once each, and nobody is asked."""

from __future__ import annotations

from jupyter_remote.transports.prompt import RememberingPrompter


class User:
    def __init__(self) -> None:
        self.asked: list[str] = []

    def ask(self, prompt: str, *, secret: bool) -> str | None:
        self.asked.append(prompt)
        return None if prompt == "unknown" else f"answer to {prompt}"


def test_secret_answers_are_given_again_once() -> None:
    user = User()
    prompter = RememberingPrompter(user)
    assert prompter.ask("password", secret=True) == "answer to password"
    assert prompter.ask("host key", secret=False) == "answer to host key"
    assert prompter.ask("unknown", secret=True) is None
    for _ in range(2):
        again = prompter.replay()
        assert again.ask("password", secret=True) == "answer to password"
        assert again.ask("password", secret=True) is None
        assert again.ask("host key", secret=False) is None
        assert again.ask("unknown", secret=True) is None
    assert user.asked == ["password", "host key", "unknown"]
    assert "answer" not in repr(vars(prompter).keys()) + repr(prompter)
