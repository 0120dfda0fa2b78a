"""Values as JSON and numbered buffers, and back, with their exact types: the same code on both ends.

Here are plain Python's types and who looks after the others; numpy, torch and pictures are in
``variables_arrays``, pandas in ``variables_frames``, Arrow and polars in ``variables_arrow``, functions and
classes in ``variables_code``. A node is a JSON scalar, which stands for itself, or a list that begins with a
tag. No pickle is made or read unless the user trusts the host, and nothing is imported that isn't needed.
"""

from __future__ import annotations

import sys
from importlib import import_module

from .parcel import Broken, Parcel, Refused
from .variables_plain import BUILT_IN, NAMED, UNPACK, long_name, qualified

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any, Callable, Mapping

# Which module of ours looks after the types of a package, and after the tags that begin with its name.
GUESTS = {
    "numpy": "variables_arrays",
    "torch": "variables_arrays",
    "PIL": "variables_arrays",
    "pandas": "variables_frames",
    "polars": "variables_arrow",
    "pyarrow": "variables_arrow",
    "code": "variables_code",
}
DEEPEST = 100
SMALL_INT = 1 << 63
SMALL_TEXT = 1024
HINT = (
    "Send what it is made of (arrays, tables, plain values), or save it to a file. With `trust: pickle` in "
    "the host's settings it can be pickled, where both ends have the same Python and you trust the host."
)


FIGURE_HINT = "Send what it shows, or save it, fig.savefig('fig.png'), and pull it: --pull fig.png."


class Packer:
    """Turns values into nodes and collects their buffers.

    Args:
        pickle: whether what has no safe form may be pickled.
        code: makes nodes of functions and the like, None for what is none; without it they have no safe form.
    """

    def __init__(
        self, pickle: bool = False, code: Callable[[Packer, Any], list[Any] | None] | None = None
    ) -> None:
        self.buffers: list[Any] = []
        self._pickle = pickle
        self._code = code
        # Objects with a number, so that one that is met twice travels once; kept, or their ids were reused.
        self._met: dict[int, tuple[int, object]] = {}

    def pack(self, name: str, value: object) -> Any:
        """The node of a variable.

        Raises:
            Refused: it can't be packed; what it had added is taken away again.
        """
        mark = len(self.buffers)
        met = dict(self._met)
        try:
            return self.node(value)
        except (Refused, RecursionError) as error:
            del self.buffers[mark:]
            self._met = met
            why = error if isinstance(error, Refused) else Refused("it contains itself")
            raise Refused(f"{name}: {why}", why.hint or HINT) from None

    def add(self, buffer: Any) -> int:
        """Takes a buffer of bytes and returns its number."""
        self.buffers.append(buffer)
        return len(self.buffers) - 1

    def node(self, value: Any, depth: int = 0) -> Any:
        """The node of a value.

        Raises:
            Refused: it can't be packed.
        """
        kind = type(value)
        if value is None or kind is bool or kind is float:
            return value
        if kind is int:
            return value if -SMALL_INT <= value < SMALL_INT else ["int", hex(value)]
        if kind is str:
            if len(value) <= SMALL_TEXT:
                return value
            return ["str", self.add(value.encode("utf-8", "surrogatepass"))]
        if depth > DEEPEST:
            raise Refused(f"it is nested more than {DEEPEST} deep, or contains itself")
        if kind in BUILT_IN:
            return BUILT_IN[kind](self, value, depth + 1)
        parts = NAMED.get(qualified(kind))
        if parts is not None:
            return [qualified(kind), *(self.node(part, depth + 1) for part in parts[0](value))]
        if id(value) in self._met:
            return ["same", self._met[id(value)][0]]
        node = self._guest(value, kind, depth + 1)
        number = len(self._met)
        self._met[id(value)] = (number, value)
        return [node[0], number, *node[1:]]

    def _guest(self, value: Any, kind: type, depth: int) -> list[Any]:
        enum = sys.modules.get("enum")
        if enum is not None and isinstance(value, enum.Enum):
            return ["enum", kind.__module__, kind.__qualname__, self.node(value.value, depth)]
        try:
            package = kind.__module__.partition(".")[0]
            node: list[Any] | None = None
            if package in GUESTS:
                node = _module(package).pack(self, value, depth)
            if node is None and self._code is not None:
                node = self._code(self, value)
            if node is not None:
                return node
            hint = FIGURE_HINT if package == "matplotlib" else ""
            raise Refused(f"a {long_name(kind)} has no safe form to travel in", hint)
        except Refused:
            if not self._pickle:
                raise
        return self._pickled(value)

    def _pickled(self, value: object) -> list[Any]:
        import pickle

        try:
            dumps = import_module("cloudpickle").dumps
        except ImportError:
            dumps = pickle.dumps
        outside: list[Any] = []
        try:
            data = dumps(value, protocol=5, buffer_callback=outside.append)
        except Exception as error:
            raise Refused(f"a {long_name(type(value))} can't be pickled: {error}") from None
        return ["pickle", python_version(), self.add(data), [self.add(part.raw()) for part in outside]]


class Unpacker:
    """Makes values of nodes.

    Args:
        buffers: of the parcel.
        namespace: the user's, in which functions and classes are made.
        pickle: whether a pickle is read.
        code: whether code that came is run, and modules it names are imported.
        check: looks through a stream of Arrow's and raises Broken, where its sender may be hostile.
    """

    def __init__(
        self,
        buffers: list[bytearray],
        namespace: dict[str, Any],
        pickle: bool = False,
        code: bool = False,
        check: Callable[[bytearray], None] | None = None,
    ) -> None:
        self.namespace = namespace
        self.code = code
        self.check = check
        self._pickle = pickle
        self._buffers: list[bytearray | None] = list(buffers)
        self._made: dict[int, Any] = {}

    def unpack(self, name: str, node: Any) -> Any:
        """The value of a variable.

        Raises:
            Refused: it can't be made here, for example without a package that is missing.
            Broken: the node means nothing.
        """
        try:
            return self.value(node)
        except Refused as refused:
            raise Refused(f"{name}: {refused}", refused.hint) from None
        except Broken as broken:
            raise Broken(f"{name}: {broken}") from None
        except (ImportError, AttributeError) as error:
            raise Refused(f"{name} can't be made with the packages there: {error}") from None
        except Exception as error:
            raise Broken(f"{name}: {type(error).__name__}: {error}") from None

    def value(self, node: Any, depth: int = 0) -> Any:
        """The value of a node; any exception but Refused means a broken one."""
        if type(node) is not list:
            if type(node) is dict:
                raise Broken("an object where none belongs")
            return node
        if depth > DEEPEST:
            raise Broken("it is nested too deep")
        tag, fields = node[0], node[1:]
        if tag in UNPACK:
            return UNPACK[tag](self, fields, depth + 1)
        if tag in NAMED:
            return NAMED[tag][1](*(self.value(field, depth + 1) for field in fields))
        if tag == "same":
            return self._made[fields[0]]
        if tag == "pickle":
            made = self._unpickled(*fields[1:])
        elif tag == "enum":
            made = self._member(*fields[1:])
        else:
            made = _module(tag.partition(".")[0]).UNPACK[tag](self, *fields[1:])
        self._made[fields[0]] = made
        return made

    def buffer(self, number: int) -> bytearray:
        """The buffer of that number, which belongs to one value only.

        Raises:
            Broken: there is none, or it was taken before.
        """
        if type(number) is not int or not 0 <= number < len(self._buffers):
            raise Broken("there is no such buffer")
        buffer, self._buffers[number] = self._buffers[number], None
        if buffer is None:
            raise Broken("two values claim one buffer")
        return buffer

    def look_up(self, module: str, name: str) -> Any:
        """What a dotted name means in a module; nothing is imported for a stranger.

        Raises:
            Refused: it isn't there.
        """
        if module == "__main__":
            found: Any = self.namespace.get(name.partition(".")[0])
            rest = name.partition(".")[2]
        else:
            found = import_module(module) if self.code else sys.modules.get(module)
            rest = name
        for part in rest.split(".") if rest else ():
            found = getattr(found, part, None)
        if found is None:
            raise Refused(
                f"{module}.{name} is not defined there", "Define it there, or send it too, before this."
            )
        return found

    def _member(self, module: str, name: str, value: Any) -> Any:
        import enum

        found = self.look_up(module, name)
        if not (isinstance(found, type) and issubclass(found, enum.Enum)):
            raise Broken(f"{module}.{name} is not an enumeration")
        return found(self.value(value))

    def _unpickled(self, python: str, number: int, outside: list[int]) -> Any:
        import pickle

        if not self._pickle:
            raise Broken("a pickle came, which nobody allowed")
        if python != python_version():
            raise Refused(
                f"it was pickled by Python {python}, and this one is {python_version()}", "Use the same."
            )
        try:
            return pickle.loads(self.buffer(number), buffers=[self.buffer(n) for n in outside])
        except Exception as error:
            raise Refused(f"it can't be unpickled: {type(error).__name__}: {error}") from None


def python_version() -> str:
    """Of this process, as far as pickles care."""
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def guest(name: str, what: str) -> Any:
    """A package of the user's environment.

    Args:
        what: that needs it, for the error.

    Raises:
        Refused: it isn't there.
    """
    try:
        return import_module(name)
    except ImportError:
        package = name.partition(".")[0]
        hint = f"Install {package} there, or set `python` to one that has it."
        raise Refused(f"{what} needs {package}, which {sys.executable} does not have", hint) from None


def _module(package: str) -> Any:
    if package not in GUESTS:
        raise Broken(f"an unknown kind of value: {package[:40]!r}")
    return import_module("." + GUESTS[package], __package__)


def pack_all(
    values: Mapping[str, object],
    pickle: bool,
    missing: Mapping[str, Refused] | None = None,
    code: Callable[[Packer, Any], list[Any] | None] | None = None,
) -> tuple[Parcel, dict[str, Refused]]:
    """A parcel of variables, and why others are not in it.

    Args:
        values: by name.
        pickle: whether what has no safe form may be pickled.
        missing: what is known before not to be in it.
        code: as for Packer.

    Raises:
        Refused: all together are too much.
    """
    packer = Packer(pickle, code)
    nodes: dict[str, Any] = {}
    refused = dict(missing or {})
    for name, value in values.items():
        try:
            nodes[name] = packer.pack(name, value)
        except Refused as error:
            refused[name] = error
    told = {name: [str(error), error.hint] for name, error in refused.items()}
    return Parcel({"values": nodes, "refused": told}, packer.buffers), refused
