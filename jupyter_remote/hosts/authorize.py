"""A key into `authorized_keys` of a host: the script that does it there, and what its answers mean.

It runs before anything of ours is on the host, so it is plain `sh`. Which hosts, and how one gets in, is in
`ssh_setup`.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from ..errors import LaunchError

# What starts it, whatever the login shell is; the script itself comes on stdin.
COMMAND = "exec sh -s"

# Every line of ours carries it: a chatty `.bashrc` prints others.
_MARK = "jr-ssh-setup"

# A new file takes the place of the old one: a full disk must not leave half a file, which locks the user out.
_SCRIPT = r"""
umask 077
say() { printf '%s %s\n' MARK "$*"; }
fail() { say fail "$@"; exit 0; }
run() { what=$1; shift; said=$("$@" 2>&1) || fail "$what" "$said"; }
line=LINE
body=BODY
say begin
[ -n "$HOME" ] && [ -d "$HOME" ] || fail home "there is no home folder ${HOME:-}"
d=$HOME/.ssh
f=$d/authorized_keys
[ -d "$d" ] || run folder mkdir "$d"
[ -O "$d" ] || fail owner "$d belongs to $(ls -ld "$d" | awk '{print $3}')"
run folder chmod 700 "$d"
t=$f
if [ -L "$f" ]; then t=$(readlink -f "$f") || fail link "$f leads nowhere"; fi
if [ -e "$t" ]; then
  [ -f "$t" ] || fail file "$t is no file"
  [ -O "$t" ] || fail owner "$t belongs to $(ls -ld "$t" | awk '{print $3}')"
  [ -r "$t" ] || run file chmod 600 "$t"
fi
if [ -f "$t" ] && grep -v '^[[:space:]]*#' "$t" | grep -qF -e "$body"; then
  done=present
  run file chmod 600 "$t"
else
  n=$t.new.$$
  trap 'rm -f "$n"' 0
  put() {
    if [ -f "$t" ]; then
      cat "$t" || return 1
      if [ -n "$(tail -c 1 "$t")" ]; then echo || return 1; fi
    fi
    printf '%s\n' "$line"
  }
  said=$( { put > "$n"; } 2>&1 ) || fail write "$said"
  run write chmod 600 "$n"
  tail -n 1 "$n" | grep -qF -e "$body" || fail write "$n was not written as a whole"
  run write mv -f "$n" "$t"
  done=added
fi
if command -v restorecon >/dev/null 2>&1; then restorecon -R "$d" >/dev/null 2>&1; fi
case $(ls -ldL "$HOME") in
  ?????w*|????????w*)
    say warn "others can write to the home folder $HOME, and sshd (StrictModes) then ignores its keys:" \
      "chmod go-w $HOME" ;;
esac
say done $done
exit 0
"""


@dataclass(frozen=True)
class Done:
    """What was done on the host.

    Attributes:
        added: whether the key was put there now; else it had been there.
        warnings: what the user should know.
    """

    added: bool
    warnings: tuple[str, ...]


def script(line: str, body: str) -> bytes:
    """What `COMMAND` reads.

    Args:
        line: the line for `authorized_keys`.
        body: what tells whether it is there.
    """
    text = (
        _SCRIPT.replace("MARK", _MARK).replace("LINE", shlex.quote(line)).replace("BODY", shlex.quote(body))
    )
    return text.encode()


def ended(printed: str) -> bool:
    """Whether the script has said its last word.

    Args:
        printed: so far.
    """
    return re.search(rf"^{_MARK} (done|fail) .*\n", printed, re.MULTILINE) is not None


def by_hand(line: str) -> str:
    """The advice for when nothing can be done from here."""
    return f"Add this line to ~/.ssh/authorized_keys there (or ask who runs the machine):\n{line}"


def read(host: str, printed: str, stderr: str, line: str) -> Done:
    """What the script has said.

    Args:
        host: the name of the host.
        printed: all that came on stdout.
        stderr: the end of what came on stderr.
        line: the line for `authorized_keys`, for advice.

    Raises:
        LaunchError: it could not be done, with what to do by hand.
    """
    advice = by_hand(line)
    said = re.findall(rf"^{_MARK} (\w+) ?(.*(?:\n(?!{_MARK}).*)*)", printed, re.MULTILINE)
    words = dict(said)
    if "done" in words:
        warnings = tuple(text.strip() for word, text in said if word == "warn")
        return Done(words["done"].strip() == "added", warnings)
    if "fail" in words:
        reason, hint = _failed(words["fail"].strip())
        raise LaunchError(f"the key could not be put on {host}: {reason}", host=host, hint=hint or advice)
    if "begin" in words:
        raise LaunchError(f"{host} stopped in the middle: {_first(stderr) or 'no reason given'}", host=host)
    answered = _first(printed) or _first(stderr)
    raise LaunchError(
        f"{host} runs no command for this user (a restricted shell, or a forced command)"
        + (f"; it said: {answered}" if answered else ""),
        host=host,
        hint=advice,
    )


def _failed(text: str) -> tuple[str, str]:
    what, _, said = text.partition(" ")
    said = " ".join(said.split()) or what
    if "Read-only" in said:
        return f"the home folder is on a read-only file system ({said})", ""
    if re.search(r"No space|quota", said, re.IGNORECASE) or (what == "write" and "as a whole" in said):
        return (
            f"there is no space left in the home folder ({said})",
            "Free some space there, and run it again.",
        )
    if "Permission denied" in said or "not permitted" in said:
        return f"this user may not write there ({said})", ""
    if what == "owner":
        return f"{said}, not to this user", ""
    return said, ""


def _first(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0][:200] if lines else ""
