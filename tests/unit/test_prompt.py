"""Answers that are given again: the secret ones, once each, and nobody is asked."""

from __future__ import annotations

import pytest

from jupyter_remote.transports.prompt import FrontPrompter, RememberingPrompter, Secret, lasts


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


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("Password: ", True),
        ("me@h: Password: ", True),
        ("Passphrase of /k: ", True),
        ("Mot de passe : ", True),
        ("Two steps\nHave your password ready.\nme@h: Verification code: ", False),
        ("One-time password (OATH) for `me': ", False),
        ("Password + token: ", False),
        ("Enter PIN: ", False),
        ("Duo two-factor login\nPasscode or option (1-3): ", False),
        ("Response: ", False),
    ],
)
def test_only_what_lasts_is_remembered(prompt: str, expected: bool) -> None:
    assert lasts(prompt) is expected


def test_an_answer_is_not_shown_by_what_prints_variables() -> None:
    answer = Secret("open sesame")
    assert answer == "open sesame" and f"{answer}" == "open sesame"
    assert "sesame" not in repr(answer) + repr([answer]) + repr({"key": answer})


def test_nobody_is_asked_off_the_main_thread_or_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    assert FrontPrompter().ask("Password: ", secret=True) is None
