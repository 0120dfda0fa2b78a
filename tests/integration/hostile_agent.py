"""An agent that speaks the protocol and lies: `hostile_agent.py LIE`, for a `type: command` host."""

from __future__ import annotations

import itertools
import json
import os
import pickle
import sys
import zlib
from collections.abc import Iterator

from jupyter_remote.agent import messages as m
from jupyter_remote.agent.artifacts import LENGTH
from jupyter_remote.agent.entry import Entry, new_digest
from jupyter_remote.agent.inventory import write as write_inventory
from jupyter_remote.agent.pack import SegmentWriter
from jupyter_remote.agent.parcel import LENGTH as SIZE
from jupyter_remote.agent.parcel import MAGIC as MAGIC_OF_PARCELS
from jupyter_remote.agent.parcel import Parcel, sealed
from jupyter_remote.agent.version import PROTOCOL, VERSION
from jupyter_remote.agent.wire import MAGIC, Decoder, Frame, encode

PATHS = {
    "absolute": "/tmp/evil",
    "dotdot": "../evil",
    "dotdot-inside": "r/../../evil",
    "empty": "r//evil",
    "empty-path": "",
    "nul": "r/ev\0il",
    "git": ".git/hooks/post-checkout",
    "git-case": "r/.GIT/config",
    "git-short": "git~1/config",
    "git-invisible": ".g\u200cit/config",
    "ours": ".jupyter-remote/pulled.json",
    "config": ".jupyter-remote.yaml",
    "unasked": "elsewhere/evil",
    "long": "r/" + "x" * 300,
    "surrogate": "r/\ud800",
}


# What is said of a change set that was sent.
SYNC_ANSWERS: dict[str, dict[str, object]] = {
    "truth": {"generation": 2, "kept": []},
    "sync-empty": {},
    "sync-no-kept": {"generation": 2},
    "sync-generation": {"generation": "two", "kept": []},
    "sync-kept-text": {"generation": 2, "kept": "mine"},
    "sync-kept-triple": {"generation": 2, "kept": [["a", "b", "c"]]},
}


# Answers to a Look and a WasPut.
NONSENSE: dict[str, dict[str, object] | None] = {
    "answers-none": None,
    "answers-number": {"states": 1, "put": 1},
    "answers-too-many": {"states": "sss", "put": "111"},
    "answers-too-few": {"states": "", "put": ""},
}


def rows(lie: str) -> Iterator[bytes]:
    row = ["r/a", "file", 0o644, 5, 10**18, ""]
    if lie in PATHS:
        row[0] = PATHS[lie]
    changes = {"size-text": (3, "5"), "size-negative": (3, -1), "mode": (2, 0o4755), "time": (4, 1 << 70)}
    if lie in changes:
        row[changes[lie][0]] = changes[lie][1]
    if lie == "huge":
        row[3] = 1 << 60
    if lie == "nested":
        yield b"[" * 50_000
    elif lie == "endless-list":
        for n in itertools.count():
            yield json.dumps([f"r/{n:012}/{('x' * 249 + '/') * 15}y", "file", 0, 1, 1, ""]).encode()
    elif lie == "endless-problems":
        for n in itertools.count():
            yield json.dumps([f"r/{n:012}", "problem", 0, 0, 0, "p" * 4000]).encode()
    elif lie == "endless-line":
        while True:
            yield b"x" * 100_000
    yield json.dumps(row).encode()
    if lie == "twice":
        yield json.dumps(row).encode()
    if lie == "link-then-through":
        yield json.dumps(["r/l", "link", 0, 0, 0, ".."]).encode()
        yield json.dumps(["r/l/evil", "file", 0o644, 5, 10**18, ""]).encode()


class Agent:
    def __init__(self, lie: str) -> None:
        self.lie = lie
        self.decoder = Decoder()
        self.credit: dict[int, int] = {}
        self.syncs: set[int] = set()
        self.taken: int | None = None

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(1, view) :]

    def next(self) -> Frame:
        while not (frames := list(self.decoder.receive(data := os.read(0, 1 << 16)))):
            if not data:
                os._exit(0)
        self.later = frames[1:]
        return frames[0]

    def send(self, number: int, payload: bytes) -> None:
        while self.credit.setdefault(number, 1 << 20) <= 0:
            for frame in list(self.decoder.receive(os.read(0, 1 << 16) or os._exit(0))):  # type: ignore[func-returns-value]
                if isinstance(frame.message, m.Credit):
                    self.credit[frame.stream] += frame.message.amount
        self.credit[number] -= len(payload)
        self.write(encode(number, m.Data(), payload))

    def serve(self) -> None:
        self.write(MAGIC + encode(0, m.Hello(PROTOCOL, VERSION, {"state": "/nowhere"})))
        while data := os.read(0, 1 << 16):
            for frame in list(self.decoder.receive(data)):
                message = frame.message
                if isinstance(message, m.Credit):
                    self.credit[frame.stream] = self.credit.get(frame.stream, 1 << 20) + message.amount
                elif isinstance(message, (m.Find, m.Inventory)):
                    self.answer_list(frame.stream, message)
                elif isinstance(message, (m.Look, m.WasPut)):
                    self.write(encode(frame.stream, m.Facts(NONSENSE.get(self.lie, {}))))
                elif isinstance(message, m.Fetch):
                    self.fetch(frame.stream, json.loads(frame.payload))
                elif isinstance(message, m.Execute):
                    end = {"seq": 1, "t": 0, "kind": "end", "state": "finished", "exit_code": 0, "seconds": 0}
                    self.write(encode(frame.stream, m.Accepted(dict(message.run, fetch=["os"]))))
                    self.write(encode(frame.stream, m.Events([end])))
                elif isinstance(message, m.Take):
                    for piece in variables(self.lie):
                        self.send(frame.stream, bytes(piece))
                    self.write(encode(frame.stream, m.End()))
                    self.taken = frame.stream
                elif isinstance(message, m.End) and frame.stream == self.taken:
                    self.write(encode(frame.stream, m.Facts({})))
                elif isinstance(message, m.Blocks):
                    self.tell_blocks(frame.stream)
                elif isinstance(message, m.Sync):
                    self.syncs.add(frame.stream)
                elif isinstance(message, m.Data):
                    # A client that is believed to send for ever would be found out here.
                    self.write(encode(frame.stream, m.Credit(len(frame.payload))))
                elif isinstance(message, m.End) and frame.stream in self.syncs:
                    self.write(
                        encode(frame.stream, m.Facts(SYNC_ANSWERS.get(self.lie, SYNC_ANSWERS["truth"])))
                    )

    def answer_list(self, number: int, message: m.Message) -> None:
        if isinstance(message, m.Inventory) and self.lie.startswith(("blocks", "there-")):
            path, size = (PATHS[self.lie[6:]], 5) if self.lie.startswith("there-") else ("mine", 2 << 20)
            entry = Entry("file", 0o644, size, "0" * 40)
            self.send(number, write_inventory(1, {path: (entry, "me", "same")}, {}))
            self.write(encode(number, m.End()))
            return
        if isinstance(message, m.Inventory):
            self.send(number, (1_000_000_000 if self.lie == "digests" else 0).to_bytes(4, "big"))
        if self.lie == "flood":
            while True:
                self.write(encode(number, m.Data(), b"\0" * (1 << 18)))
        if self.lie == "flood-empty":
            while True:
                self.write(encode(number, m.Data()))
        if self.lie == "flood-facts":
            while True:
                self.write(encode(number, m.Facts({"x": [[]] * 1000})))
        if self.lie == "flood-events":
            while True:
                self.write(encode(number, m.Events([{"kind": "x" * 1000}])))
        if self.lie == "bomb":
            packer = zlib.compressobj(9)
            while True:
                self.send(number, packer.compress(b" " * (1 << 20)) + packer.flush(zlib.Z_SYNC_FLUSH))
        if self.lie == "noise":
            while True:
                self.send(number, os.urandom(1 << 16))
        if self.lie == "other":
            self.write(encode(number, m.Facts({})))
        packer = zlib.compressobj(1)
        if isinstance(message, m.Inventory):
            for piece in inventory(self.lie):
                self.send(number, packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH))
        else:
            for row in rows(self.lie):
                self.send(number, packer.compress(row + b"\n") + packer.flush(zlib.Z_SYNC_FLUSH))
        if self.lie != "cut-list":
            self.send(number, packer.flush())
        self.write(encode(number, m.End()))

    def tell_blocks(self, number: int) -> None:
        told = {"blocks-flag": b"\2", "blocks-none": b"", "blocks-short": b"\1" + b"x" * 7}.get(
            self.lie, b"\0"
        )
        while self.lie == "blocks-endless":
            self.send(number, b"\1" + b"x" * (1 << 16))
        self.send(number, told)
        self.write(encode(number, m.End()))

    def fetch(self, number: int, wanted: list[list[object]]) -> None:
        segments = SegmentWriter()

        def put(*values: object) -> None:
            data = json.dumps(values).encode()
            for piece in segments.add(LENGTH.pack(len(data)) + data):
                self.send(number, piece)

        digest = new_digest()
        content = {"short": b"1234", "longer": b"123456"}.get(self.lie, b"12345")
        digest.update(content)
        for _ in wanted:
            if self.lie == "strange-header":
                put("file", 3)
            elif self.lie == "same-unasked":
                put("same")
            elif self.lie == "changed-forever":
                put("changed", 5, 10**18 + os.getpid() + len(os.urandom(1)), 0o644)
            elif self.lie == "changed-bad":
                put("changed", "5", None, 0o644)
            elif self.lie == "header-bomb":
                for piece in segments.add(LENGTH.pack(1 << 31)):
                    self.send(number, piece)
            else:
                put("file", 0)
                for piece in segments.add(content):
                    self.send(number, piece)
                put("0" * 40 if self.lie == "digest" else digest.hexdigest(), False)
            if self.lie == "more":
                put("file", 0)
            if self.lie == "endless-body":
                while True:
                    for piece in segments.add(os.urandom(1 << 18), True):
                        self.send(number, piece)
        for piece in segments.flush():
            self.send(number, piece)
        self.write(encode(number, m.End()))


def variables(lie: str) -> Iterator[bytes]:
    nodes: dict[str, object] = {"y": ["numpy.array", 0, "|u1", [4], "C", 0, 0]}
    buffers = [b"1234"]
    if lie == "v-pickle":
        nodes, buffers = {"y": ["pickle", 0, "3.11", 0, []]}, [pickle.dumps(os.abort)]
    elif lie == "v-shape":
        nodes = {"y": ["numpy.array", 0, "<f8", [1 << 40], "C", 0, 0]}
    elif lie == "v-unasked":
        nodes["os"] = 1
    elif lie == "v-instead":
        nodes = {"print": nodes["y"]}
    content = b"".join(sealed(Parcel({"values": nodes, "refused": {}}, buffers).pieces()))
    if lie == "v-digest":
        content = content[:-1] + bytes([content[-1] ^ 1])
    elif lie == "v-cut":
        content = content[:-40]
    elif lie == "v-more":
        content += b"x"
    elif lie in ("v-claims", "v-header"):
        header = b'{"values":{},"refused":{},"buffers":[%d]}' % (1 << 40)
        content = MAGIC_OF_PARCELS + SIZE.pack(1 << 40 if lie == "v-header" else len(header)) + header
    yield from (content[at : at + (1 << 16)] for at in range(0, len(content), 1 << 16))
    while lie == "v-endless":
        yield bytes(1 << 16)


def inventory(lie: str) -> Iterator[bytes]:
    if lie == "endless-list":
        yield b'{"generation": 1, "paths": ['
        for n in itertools.count():
            yield b'"%d/%s",' % (n, os.urandom(30_000).hex().encode())
    none: dict[str, object] = {key: [] for key in ("owners", "paths", "put_by", "modes", "sizes", "targets")}
    told = {**none, "generation": 1, "received": {}, "old": [], "states": "", "kinds": ""}
    folder = {**told, "paths": ["a"], "owners": ["me"], "put_by": [0], "modes": [493], "sizes": [0]}
    folder |= {"states": "s", "kinds": "d"}
    shapes: dict[str, object] = {
        "list": [],
        "no-generation": {key: value for key, value in told.items() if key != "generation"},
        "generation-text": {**told, "generation": "x"},
        "row": {**told, "paths": ["a"]},
        "path-number": {**folder, "paths": [5]},
        "owner-unknown": {**folder, "put_by": [1]},
        "kind-unknown": {**folder, "kinds": "x"},
        "state-unknown": {**folder, "states": "x"},
        "size-negative": {**folder, "sizes": [-1]},
        "size-text": {**folder, "sizes": ["0"]},
        "no-digest": {**folder, "kinds": "f"},
        "no-target": {**folder, "kinds": "l"},
        "received-list": {**told, "received": []},
        "received-text": {**told, "received": {"a": "b"}},
    }
    if lie == "nested":
        yield b"[" * 100_000
    else:
        yield json.dumps(shapes.get(lie, told)).encode()


if __name__ == "__main__":
    Agent(sys.argv[1]).serve()
