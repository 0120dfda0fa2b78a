"""`host_picker`: the hosts to choose from, and what can be done to them. Its lines are `hosts_list.py`'s.

What is done is what `%remote` does with the same words; it is shown below the list.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .. import default_host
from ..call import configuration
from ..errors import RemoteError
from ..transports.prompt import handed_over
from . import hosts_list
from .hosts_list import Line
from .looks import Html, box, escaped, state_html
from .sampler import News
from .saying import said_by
from .shown import Shown

if TYPE_CHECKING:
    import ipywidgets

# So many are asked without being told to; of a thousand hosts those that the filter leaves are meant.
AT_MOST = 64
_FIRST_S = 2.0
# The same where there is nothing but a copy.
_ALONE_S = 15.0
_AT_ONCE = 16
_LETTERS_S = 0.4


def host_picker() -> HostPicker:
    """The hosts and groups with how they are, to choose the notebook's own and to look after them.

    The one that is chosen is the host of `%%remote` and `%autoremote` cells that name none.

    Raises:
        ConfigError: the configuration is not valid.
    """
    return HostPicker()


class HostPicker(Shown):
    """What `host_picker` returns."""

    def __init__(self) -> None:
        super().__init__()
        self._news: dict[str, News] = {}
        self._lines = hosts_list.lines_of(configuration())
        self._asking: list[threading.Thread] = []
        self._drawing = threading.RLock()
        self._parts: dict[str, Any] = {}
        self._waited = False
        self._words = ""

    def __repr__(self) -> str:
        return f"<HostPicker of {len(self._lines)} hosts and groups>"

    def text(self) -> str:
        self._await_first()
        chosen = default_host.get()
        return f"{hosts_list.text_of(self._lines, self._news, chosen)}\n\n{_own(chosen)}"

    def html(self) -> Html:
        self._await_first()
        chosen = default_host.get()
        table = hosts_list.table_of(self._lines, self._news, chosen)
        when = time.strftime("%Y-%m-%d %H:%M:%S")
        return box(table, Html(f'<div class="jr-small">{escaped(_own(chosen))} As it was at {when}.</div>'))

    # Looking at hosts.

    def refresh(self, hosts: Sequence[str] | None = None) -> None:
        """Ask hosts how they are, in the background and without a question to the user.

        Args:
            hosts: their names; those that the list shows now when None, `AT_MOST` of them.
        """
        wanted = self._shown_hosts() if hosts is None else list(hosts)
        for host in wanted:
            self._news[host] = News("connecting", self._news.get(host, hosts_list.NOT_ASKED).facts)
        self._draw()

        turns = threading.BoundedSemaphore(_AT_ONCE)

        def ask(host: str) -> None:
            handed_over.set(True)  # nobody is asked for a password by what was not chosen
            with turns:
                self._ask(host)

        # Daemons, all of them: nobody can end a thread that waits for a host, and the kernel must end.
        self._asking = [threading.Thread(target=ask, args=(host,), daemon=True) for host in wanted]
        for thread in self._asking:
            thread.start()

    def _ask(self, host: str) -> None:
        import jupyter_remote

        try:
            self._news[host] = News("ready", jupyter_remote.connect(host).status(), "", time.time())
        except RemoteError as error:
            self._news[host] = News("unreachable", {}, error.message)
        except Exception as error:  # a fault of ours must not look as if it were still connecting
            self._news[host] = News("unreachable", {}, f"{type(error).__name__}: {error}")
        self._draw()

    def _shown_hosts(self) -> list[str]:
        lines = self._matching()
        found = dict.fromkeys(h for line in lines if line.what != hosts_list.ALIAS for h in line.hosts)
        filtered = bool(self._parts and self._parts["filter"].value.strip())
        if filtered:
            found.update(dict.fromkeys(host for line in lines for host in line.hosts))
        return list(found)[:AT_MOST]

    def _await_first(self) -> None:
        """Have something to show; only the first time it is waited for."""
        if self._waited:
            return
        self._waited = True
        if not self._asking:
            self.refresh()
        until = time.monotonic() + (_FIRST_S if self._parts else _ALONE_S)
        for thread in self._asking:
            thread.join(max(0.0, until - time.monotonic()))

    # The widget.

    def build(self) -> ipywidgets.DOMWidget:
        from .picker_form import make_parts

        parts = make_parts()
        whole = parts["whole"]
        self._parts = parts
        parts["filter"].observe(lambda _: self._draw(), "value")
        # `on_submit` is deprecated, and the value that it is to be replaced by changes with each letter.
        parts["filter"].on_msg(lambda _, said, __: self._entered() if said.get("event") == "submit" else None)
        parts["list"].observe(lambda _: self._draw_choice(), "value")
        for name, act in (
            ("use", self._use),
            ("forget", lambda: default_host.set(None)),
            ("refresh", self._again),
            ("test", lambda: self._do("doctor", self._spec())),
            ("start", lambda: self._do("start", self._spec())),
            ("stop", lambda: self._do("stop", self._spec())),
            ("add", self._toggle_form),
            ("setup", self._set_up),
        ):
            parts[name].on_click(lambda _, act=act: act())
        default_host.watch(self._draw)
        self.refresh()
        return whole

    def _use(self) -> None:
        if spec := self._spec():
            default_host.set(spec)

    def _entered(self) -> None:
        """Enter was pressed: a page tells that at once, and the last letters when the kernel has time."""
        threading.Timer(_LETTERS_S, self._use_best).start()

    def _use_best(self) -> None:
        self._draw()
        self._use()
        self._parts["filter"].value = ""

    def _again(self) -> None:
        try:
            self._lines = hosts_list.lines_of(configuration())
        except RemoteError as error:
            self._say("", str(error))
            return
        self.refresh()

    def _toggle_form(self) -> None:
        form = self._parts["form"]
        form.layout.display = "" if form.layout.display == "none" else "none"

    def _set_up(self) -> None:
        target, name, group = (self._parts[part].value.strip() for part in ("target", "name", "group"))
        if not target:
            self._say("", "Say which machine: USER@HOST, USER@HOST:PORT, or an alias of ~/.ssh/config.")
            return
        words = ["setup", target, *(["--name", name] if name else ()), *(["--group", group] if group else ())]
        if self._do(*words):
            for part in ("target", "name", "group"):
                self._parts[part].value = ""
            self._toggle_form()
            self._again()

    def _do(self, *words: str) -> bool:
        """Do what `%remote` does with these words, and show what it says."""
        if "" in words:
            return False
        buttons = [self._parts[name] for name in ("refresh", "test", "start", "stop", "setup")]
        for button in buttons:
            button.disabled = True
        try:
            well = said_by(words, lambda text: self._say(" ".join(words), text))
        finally:
            for button in buttons:
                button.disabled = False
            self._draw_choice()
        if words[0] != "setup" and (line := self._line()) is not None:
            self.refresh(line.hosts)
        return well

    def _say(self, words: str, text: str) -> None:
        command = f"%remote {words}\n" if words else ""
        self._parts["said"].value = box(
            Html(f'<pre style="white-space: pre-wrap; margin: 0">{escaped(command + text)}</pre>')
        )

    def _spec(self) -> str:
        return self._parts["list"].value or ""

    def _line(self) -> Line | None:
        return next((line for line in self._lines if line.spec == self._spec()), None)

    def _matching(self) -> list[Line]:
        words = self._parts["filter"].value if self._parts else ""
        return hosts_list.matching(self._lines, words)

    def _draw(self) -> None:
        """Bring the list up to date; from whichever thread."""
        if not self._parts:
            return
        with self._drawing:
            listed, chosen = self._parts["list"], default_host.get()
            options = hosts_list.options(self._matching(), self._news, chosen)
            if tuple(options) != tuple(listed.options):
                values = [value for _, value in options]
                words, kept = self._parts["filter"].value, listed.value or chosen
                if words != self._words or kept not in values:
                    kept = hosts_list.best(values, words) if words.strip() or kept not in values else kept
                self._words = words
                with listed.hold_sync():
                    listed.options = options
                    listed.value = kept
                self._parts["filter"].options = [line.spec for line in self._lines]
            self._draw_choice()

    def _draw_choice(self) -> None:
        line, chosen = self._line(), default_host.get()
        self._parts["own"].value = box(Html(f"<div>{escaped(_own(chosen))}</div>"))
        why = [
            f"{host}: {news.why.removeprefix(f'{host}: ')}"
            for host in (line.hosts if line else ())
            if (news := self._news.get(host)) is not None and news.why
        ]
        self._parts["why"].value = box(
            *(
                Html(f'<div style="white-space: pre-wrap">{state_html("unreachable")} {escaped(text)}</div>')
                for text in why
            )
        )
        self._parts["use"].disabled = line is None
        self._parts["test"].disabled = line is None
        self._parts["forget"].disabled = chosen is None
        for name in ("start", "stop"):
            self._parts[name].disabled = line is None or not line.power


def _own(chosen: str | None) -> str:
    """Where cells go that name no host, and how long that stays so."""
    if chosen is None:
        return "No host is chosen for this notebook: cells name theirs, %%remote NAME."
    said = f"%%remote without a name runs on {chosen}."
    if default_host.kept():
        return f"{said} The notebook keeps that."
    if default_host.in_file() == chosen:
        return f"{said} The notebook's metadata says so."
    return f"{said} This kernel knows that until it ends. {default_host.how_to_keep(chosen)}"
