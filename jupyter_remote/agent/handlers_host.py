"""What each request about the host itself does, in the agent."""

from __future__ import annotations

import os

from . import messages as m
from . import sessions
from .streams import Stream

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any, Callable


class HostHandlers:
    """The verbs that neither a workspace nor a run is needed for.

    Args:
        state: state folder of this host.
    """

    def __init__(self, state: str) -> None:
        self.state = state
        self.verbs: dict[type[m.Message], Callable[[Stream, Any, bytes], None]] = {
            m.Status: self.status,
            m.ListSessions: self.list_sessions,
            m.StopSession: self.stop_session,
            m.EndRemains: self.end_remains,
            m.Meet: self.meet,
            m.StopWhenIdle: self.stop_when_idle,
            m.Probe: self.probe,
            m.Sample: self.sample,
            m.Environments: self.environments,
            m.RemoveEnvironment: self.remove_environment,
            m.Forward: self.forward,
            m.Listening: self.listening,
            m.Poll: self.poll,
            m.Settle: self.settle,
            m.Campaign: self.campaign,
            m.Metrics: self.metrics,
        }

    def status(self, stream: Stream, message: m.Status, _payload: bytes) -> None:
        """Load, memory, disk, GPUs, sessions."""
        from .leases import note_holders
        from .stats import host_status

        told = host_status(self.state)
        note_holders(told["gpus"], self.state, message.leases)
        stream.send(m.Facts(dict(told, sessions=list(sessions.records(self.state)))))

    def sample(self, stream: Stream, message: m.Sample, _payload: bytes) -> None:
        """Load, memory and GPUs again and again."""
        from .leases import note_holders
        from .sampling import Sampler, send_samples

        def note(gpus: list[dict[str, Any]]) -> None:
            note_holders(gpus, self.state, message.leases)

        send_samples(stream, Sampler(max(message.interval, 50) / 1000, note if message.who else None))

    def meet(self, stream: Stream, _message: m.Meet, _payload: bytes) -> None:
        """Names a free port and an address."""
        from .meeting import address, free_port

        stream.send(m.Facts({"port": free_port(), "address": address(), "node": os.uname().nodename}))

    def probe(self, stream: Stream, message: m.Probe, _payload: bytes) -> None:
        """Finds out what the host is and has."""
        from .probe import probe

        stream.send(m.Facts(probe(self.state, message.asked)))

    def environments(self, stream: Stream, message: m.Environments, _payload: bytes) -> None:
        """The environments."""
        from .environments import listing

        stream.send(m.Facts(listing(message.root, self.state)))

    def remove_environment(self, stream: Stream, message: m.RemoveEnvironment, _payload: bytes) -> None:
        """Removes one."""
        from .environments import remove

        stream.send(m.Facts(remove(message.root, message.name, bool(message.force), self.state)))

    def poll(self, stream: Stream, message: m.Poll, _payload: bytes) -> None:
        """Asks a scheduler."""
        from .inventory import pack
        from .polling import ask

        stream.send_all(pack(ask(self.state, message)))

    def settle(self, stream: Stream, message: m.Settle, _payload: bytes) -> None:
        """Writes the end of a run."""
        from .polling import settle_all

        stream.send(m.Facts({"run": settle_all(self.state, message.run_id, message.verdicts)}))

    def list_sessions(self, stream: Stream, _message: m.ListSessions, _payload: bytes) -> None:
        """The live sessions."""
        stream.send(m.Facts({"sessions": list(sessions.records(self.state))}))

    def end_remains(self, stream: Stream, _message: m.EndRemains, _payload: bytes) -> None:
        """Ends what dead supervisors left."""
        from . import remains

        ended = remains.end()
        sessions.bury_dead(self.state)
        stream.send(m.Facts({"ended": ended}))

    def stop_session(self, stream: Stream, message: m.StopSession, _payload: bytes) -> None:
        """Ends one session, or all."""
        live = sessions.names(self.state)
        if message.name is not None and message.name not in live:
            known = ", ".join(live) or "none"
            raise ValueError(f"there is no session {message.name!r} here; live ones: {known}")
        wanted = live if message.name is None else [message.name]
        stream.send(m.Facts({"stopped": [name for name in wanted if sessions.stop(self.state, name)]}))

    def stop_when_idle(self, stream: Stream, message: m.StopWhenIdle, _payload: bytes) -> None:
        """Arranges when this machine is switched off."""
        from .idle import arrange

        stream.send(m.Facts(arrange(self.state, message.options)))

    def forward(self, stream: Stream, message: m.Forward, _payload: bytes) -> None:
        """Carries a connection to a port."""
        from .forwarding import forward

        forward(stream, message)

    def listening(self, stream: Stream, _message: m.Listening, _payload: bytes) -> None:
        """What listens here."""
        from .forwarding import listeners

        stream.send(m.Facts({"listening": listeners()}))

    def campaign(self, stream: Stream, message: m.Campaign, _payload: bytes) -> None:
        """Has a campaign started, resumed, stopped or described."""
        from .campaigns import act, read_plan
        from .inventory import pack

        plan = read_plan(stream.reader()) if message.action == "start" else None
        stream.send_all(pack(act(self.state, message, plan)))

    def metrics(self, stream: Stream, message: m.Metrics, _payload: bytes) -> None:
        """Tells what may be metrics."""
        from .inventory import pack
        from .metrics import news

        stream.send_all(pack(news(self.state, message.run_id, message.cursor, message.wanted)))
