"""``env_setup``: the user's shell lines that prepare a process, and what is known of it when they fail.

The lines are sourced by a script that then becomes the process. Nothing of how they run is changed: a line
that fails counts when it is the last one, when they say ``set -e``, or when it loads a module or an
environment, since nobody means to go on without that.
"""

from __future__ import annotations

import os
import re
import shlex
import time

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any

# Only a login shell reads these, and what an agent starts is none.
MODULES = """\
for jr_file in "${MODULESHOME-}/init/bash" "${LMOD_PKG-}/init/bash" /etc/profile.d/*mod*.sh \\
    /usr/share/lmod/lmod/init/bash /usr/share/modules/init/bash; do
    command -v module >/dev/null 2>&1 && break
    [ ! -r "$jr_file" ] || . "$jr_file"
done
"""
# The trap on ERR is bash's, and tells the line; in its own first line only, since it counts on in the next.
# What ends the shell itself is told by that on EXIT.
SCRIPT = """\
jr_setup=SETUP jr_failed=FAILED jr_line=
trap 'printf "%s %s\\n" "$?" "$jr_line" >"$jr_failed"' EXIT
if [ -n "${BASH_VERSION-}" ]; then
    trap 'jr_code=$? jr_at=$LINENO
    if [ "${BASH_SOURCE[0]}" = "$jr_setup" ]; then
        jr_line=$jr_at
        case "$(sed -n "${jr_at}p" "$jr_setup")" in
            *module\\ *|ml\\ *|*[\\;\\&\\ ]ml\\ *|*conda\\ *|*mamba\\ *) exit "$jr_code";;
        esac
    fi' ERR
fi
. SETUP
jr_code=$?
[ "$jr_code" = 0 ] || exit "$jr_code"
trap - EXIT
[ -z "${BASH_VERSION-}" ] || trap - ERR
: >DONE
"""


class Setup:
    """The lines on their way to one process.

    Args:
        folder: the session's.
        record: the session's settings.
        argv: what the script becomes.
        env: the variables it starts with.
    """

    def __init__(self, folder: str, record: dict[str, Any], argv: list[str], env: dict[str, str]) -> None:
        self._text = str(record["env_setup"])
        self._limit = float(record.get("env_setup_timeout") or 300)
        self._due = time.monotonic() + self._limit
        self._hung = False
        self.path = os.path.join(folder, "start.sh")
        self._failed, self._done = (os.path.join(folder, f"env_setup.{end}") for end in ("failed", "done"))
        lines = os.path.join(folder, "env_setup.sh")
        for path in (self._failed, self._done):
            if os.path.exists(path):
                os.unlink(path)
        places = {"FAILED": self._failed, "SETUP": lines, "DONE": self._done}
        script = re.sub("FAILED|SETUP|DONE", lambda match: shlex.quote(places[match[0]]), SCRIPT)
        if re.search(r"\b(module|ml)\s", self._text):
            script = MODULES + script
        if record.get("in_env"):
            # What the lines put on the PATH must not come before the environment's own programs.
            script += f'PATH={shlex.quote(env["PATH"].partition(os.pathsep)[0])}:"$PATH"\n'
        if "/" not in argv[0]:
            word = shlex.quote(argv[0])
            missing = shlex.quote(f"there is no {argv[0]} on the host's PATH, with what env_setup put there")
            script += f"command -v {word} >/dev/null || {{ echo {missing} >&2; exit 127; }}\n"
        script += "exec " + " ".join(map(shlex.quote, argv)) + "\n"
        for path, text in ((lines, self._text), (self.path, script)):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)

    def hangs(self) -> bool:
        """Whether they have gone on for longer than they may."""
        if time.monotonic() > self._due and not self._hung:
            self._hung = not os.path.exists(self._done)
            self._due = float("inf")
        return self._hung

    def failure(self, said: str) -> str | None:
        """How they failed, None when they did not.

        Args:
            said: the last that was printed.
        """
        code, line = "", ""
        if not self._hung:
            try:
                with open(self._failed, encoding="ascii") as file:
                    code, _, line = file.read().strip().partition(" ")
            except OSError:
                return None
        how = f"failed with exit code {code}"
        if self._hung:
            how = f"did not end within {self._limit:g} s (env_setup_timeout)"
        elif code == "0":
            how = "ended the shell, so nothing could be started after it"
        lines = self._text.splitlines()
        if line.isdigit() and 0 < int(line) <= len(lines):
            how += f" in line {line}: {lines[int(line) - 1].strip()}"
        return f"{how}\n{said}" if said else how
