"""Dialogs of the panel: a password and a one-time code of a real sshd, and what `doctor` finds there."""

from __future__ import annotations

import os
import re

import pytest
from panel import Panel
from playwright.sync_api import Locator, expect
from sshd import HOST, SshHost, ssh_host
from test_second_factor import PASSWORD, code, two

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(os.getuid() != 0, reason="needs root: it makes a PAM service"),
]


def question(panel: Panel, about: str) -> Locator:
    """The dialog that asks this, whose field has the focus and hides what is typed."""
    found = panel.page.locator(".jp-Dialog.jr-Question", has_text=about)
    field = found.locator("input")
    expect(field).to_be_focused()
    expect(field).to_have_attribute("type", "password")
    return found


def send(panel: Panel, about: str, answer: str) -> None:
    """Answers by the keyboard alone."""
    field = question(panel, about).locator("input")
    prompt = field.get_attribute("id")
    field.fill(answer)
    field.press("Enter")
    expect(panel.page.locator(f"#{prompt}")).to_have_count(0)


def test_a_password_and_a_code_are_asked_in_dialogs(two: SshHost, panel: Panel) -> None:
    server = two.servers[-2]  # the one without a key
    panel.node.get_by_role("button", name="Add a host…").click()
    dialog = panel.dialog("Add a Host")
    dialog.get_by_label("Machine").fill(f"{two.user}@{HOST}:{server.port}")
    dialog.get_by_label("Name", exact=True).fill("two")
    panel.press(dialog, "Connect and add")
    panel.press(panel.dialog("Is this really"), "Yes, and remember")
    send(panel, "Password", PASSWORD)
    # A wrong code: the host asks for both again.
    asked = question(panel, "Verification code")
    panel.picture("code")
    assert panel.accessible(".jp-Dialog") == []
    send(panel, "Verification code", "000000")
    expect(question(panel, "Password")).to_contain_text("was not accepted")
    panel.picture("code-wrong")
    send(panel, "Password", PASSWORD)
    send(panel, "Verification code", code())
    # Saved, and connected to: another code, since no code is kept.
    expect(question(panel, "Verification code")).to_contain_text("connected to once more")
    panel.picture("code-again")
    send(panel, "Verification code", code())
    expect(panel.host("two")).to_have_class(re.compile("jr-mod-connected"))
    expect(panel.host("two").locator("progress")).to_have_count(0)
    expect(asked).to_have_count(0)

    panel.choose(panel.host("two"), "Check (doctor)")
    question(panel, "Password").get_by_role("button", name="Cancel").click()
    findings = panel.dialog("Checks of two")
    expect(findings.locator("li").first).to_contain_text("cancelled")
    panel.picture("doctor-cancelled")
    panel.press(findings, "Close")
    panel.choose(panel.host("two"), "Check (doctor)")
    send(panel, "Password", PASSWORD)
    send(panel, "Verification code", code())
    findings = panel.dialog("Checks of two")
    expect(findings.locator("li").first).to_be_visible()
    panel.picture("doctor")
    assert panel.accessible(".jp-Dialog") == []
    panel.press(findings, "Close")
    kept = panel.page.evaluate("() => JSON.stringify(localStorage) + document.documentElement.innerHTML")
    assert PASSWORD not in kept


__all__ = ["ssh_host", "two"]
