"""The hosts of one call, and what each has to know of the others before its run starts.

Who is who is worked out in `ranks.py`; when what is done is decided in `several.py`.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from .agent import messages as m
from .parsing import Values
from .ranks import Place, fallback_port, master_address, new_group, place_of, twins, variables

if TYPE_CHECKING:
    from .linkstate import Told
    from .remote import Remote

# How long the others wait for the first host's free port. It may be down, and they are to run then.
PATIENCE_S = 5.0
_LONGEST_NAME = 64


# Of a remote, which never goes elsewhere: reading the ssh configuration costs a millisecond for each.
_places: WeakKeyDictionary[Remote, Place] = WeakKeyDictionary()


def _place(remote: Remote) -> Place:
    if remote not in _places:
        _places[remote] = place_of(remote.host)
    return _places[remote]


class Part:
    """One host of the call.

    Args:
        remote: the host.
        rank: its number.
        twin: whether it is another name for one of the other hosts.
    """

    def __init__(self, remote: Remote, rank: int, twin: bool) -> None:
        self.remote = remote
        self.name = remote.host.name
        self.rank = rank
        self.on_link: Told | None = None
        self.values: Values = {}
        self._twin = twin

    def session(self, name: str) -> str:
        """The session's name there: a second name of one machine must not wait for the first one's run."""
        end = f".{self.name}" if self._twin else ""
        return name[: _LONGEST_NAME - len(end)] + end


class Group:
    """All hosts of the call.

    Args:
        remotes: in the order of the ranks.
        values: of the options; what they say of the environment wins.
    """

    def __init__(self, remotes: Sequence[Remote], values: Values) -> None:
        self.id = new_group()
        self._values = values
        self._hosts = [remote.host for remote in remotes]
        self._places = [_place(remote) for remote in remotes]
        doubles = twins([host.name for host in self._hosts], self._places)
        numbered = enumerate(zip(remotes, doubles, strict=True))
        self.parts = [Part(remote, rank, twin) for rank, (remote, twin) in numbered]
        self._asked = threading.Event()
        self._deciding = threading.Lock()
        self._told: dict[str, Any] = {}
        self._decided: tuple[str, int] | None = None

    def meet(self, part: Part) -> None:
        """Complete `part.values`; waits for what the first host says of itself, but not for ever.

        Raises:
            RemoteError: the part is the first, and its host failed.
        """
        if part.rank:
            self._asked.wait(PATIENCE_S)
        else:
            self._told = part.remote.connection().ask(m.Meet())
        with self._deciding:
            if self._decided is None:
                own = str(self._told.get("address") or "")
                port = int(self._told.get("port") or fallback_port(self.id))
                self._decided = master_address(self._hosts, self._places, own), port
        self._asked.set()
        part.values = self._values_of(part, *self._decided)

    def gone(self, part: Part) -> None:
        """The part has ended or failed: if it is the first, nobody has to wait for it any longer."""
        if part.rank == 0:
            self._asked.set()

    def _values_of(self, part: Part, address: str, port: int) -> Values:
        known = variables(part.rank, len(self.parts), address, port)
        elsewhere = {*part.remote.host.env, *self._values["pass_env"]}
        ours = [(name, value) for name, value in known.items() if name not in elsewhere]
        return {
            **self._values,
            "env": (*ours, *self._values["env"]),  # the later one wins
            "notes": {"group": self.id, "rank": part.rank},
            "on_link": part.on_link,
        }
