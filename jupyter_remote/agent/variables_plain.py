"""The types of plain Python as nodes (see ``variables.py``): containers, texts, numbers, times, paths.

Long lists of one kind of number or text are packed into one buffer. Subclasses are not taken for their base:
what arrives has the type that was sent.
"""

from __future__ import annotations

import sys
from array import array
from importlib import import_module

from .parcel import Broken, Refused

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any, Callable

    from .variables import Packer, Unpacker

# From this length on a list of one kind is one buffer.
LONG = 64
SMALL = 256


def qualified(kind: type) -> str:
    """A type's name with the first part of its module's: pathlib and zoneinfo have moved theirs about."""
    return f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}"


def long_name(kind: type) -> str:
    """A type's name as the user knows it."""
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _little(numbers: array[Any]) -> array[Any]:
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def pack_items(packer: Packer, values: Any, depth: int) -> list[Any]:
    """The elements of a list or tuple: ``items`` one by one, or ``packed`` when they are long and alike."""
    kinds = set(map(type, values)) if len(values) >= LONG else ()
    kind = kinds.pop() if len(kinds) == 1 else None
    if kind is float:
        return ["d", packer.add(_little(array("d", values)))]
    if kind is int:
        try:
            return ["q", packer.add(_little(array("q", values)))]
        except OverflowError:
            pass
    if kind is str:
        texts = [text.encode("utf-8", "surrogatepass") for text in values]
        return ["s", packer.add(_little(array("q", map(len, texts)))), packer.add(b"".join(texts))]
    return ["-", [packer.node(value, depth) for value in values]]


def unpack_items(unpacker: Unpacker, fields: list[Any], depth: int) -> list[Any]:
    """The elements as a list.

    Args:
        fields: of the node.
    """
    form, first = fields[0], fields[1]
    if form == "-":
        return [unpacker.value(node, depth) for node in first]
    if form not in ("d", "q", "s"):
        raise Broken("an unknown form of list")
    numbers = array("d" if form == "d" else "q")
    numbers.frombytes(unpacker.buffer(first))
    values = _little(numbers).tolist()
    return _texts(values, unpacker.buffer(fields[2])) if form == "s" else values


def _texts(lengths: list[int], data: bytearray) -> list[str]:
    if any(length < 0 for length in lengths) or sum(lengths) != len(data):
        raise Broken("the lengths of its texts are wrong")
    texts, at = [], 0
    for length in lengths:
        texts.append(data[at : at + length].decode("utf-8", "surrogatepass"))
        at += length
    return texts


def _pack_list(tag: str) -> Callable[[Packer, Any, int], list[Any]]:
    return lambda packer, value, depth: [tag, *pack_items(packer, value, depth)]


def _pack_set(tag: str) -> Callable[[Packer, Any, int], list[Any]]:
    return lambda packer, value, depth: [tag, *pack_items(packer, list(value), depth)]


def _pack_dict(packer: Packer, value: dict[Any, Any], depth: int) -> list[Any]:
    keys, values = list(value), list(value.values())
    return ["dict", pack_items(packer, keys, depth), pack_items(packer, values, depth)]


def _unpack_dict(unpacker: Unpacker, fields: list[Any], depth: int) -> dict[Any, Any]:
    keys, values = (unpack_items(unpacker, items, depth) for items in fields)
    if len(keys) != len(values):
        raise Broken("a dict with more keys than values, or fewer")
    return dict(zip(keys, values))


def _pack_bytes(tag: str) -> Callable[[Packer, Any, int], list[Any]]:
    return lambda packer, value, _: [tag, value.hex() if len(value) <= SMALL else packer.add(value)]


def _bytes(unpacker: Unpacker, fields: list[Any]) -> bytearray:
    (told,) = fields
    return bytearray.fromhex(told) if isinstance(told, str) else unpacker.buffer(told)


BUILT_IN: dict[type, Callable[[Packer, Any, int], list[Any]]] = {
    list: _pack_list("list"),
    tuple: _pack_list("tuple"),
    set: _pack_set("set"),
    frozenset: _pack_set("frozenset"),
    dict: _pack_dict,
    bytes: _pack_bytes("bytes"),
    bytearray: _pack_bytes("bytearray"),
}

UNPACK: dict[str, Callable[[Unpacker, list[Any], int], Any]] = {
    "int": lambda _, fields, __: int(fields[0], 16),
    "str": lambda unpacker, fields, _: unpacker.buffer(fields[0]).decode("utf-8", "surrogatepass"),
    "list": unpack_items,
    "tuple": lambda *given: tuple(unpack_items(*given)),
    "set": lambda *given: set(unpack_items(*given)),
    "frozenset": lambda *given: frozenset(unpack_items(*given)),
    "dict": _unpack_dict,
    "bytes": lambda unpacker, fields, _: bytes(_bytes(unpacker, fields)),
    "bytearray": lambda unpacker, fields, _: _bytes(unpacker, fields),
}


def _of(name: str) -> Any:
    module, _, attribute = name.partition(".")
    return getattr(import_module(module), attribute)


def _moment(value: Any) -> list[Any]:
    return [value.replace(tzinfo=None).isoformat(), value.fold, value.tzinfo]


def _made_moment(name: str) -> Callable[..., Any]:
    def make(text: str, fold: int, zone: Any) -> Any:
        return _of(name).fromisoformat(text).replace(fold=fold, tzinfo=zone)

    return make


def _zone(value: Any) -> list[Any]:
    if value.key is None:
        raise Refused("its time zone was read from a file and has no name")
    return [value.key]


def _default_dict(value: Any) -> list[Any]:
    factory = value.default_factory
    if factory is not None and factory not in _FACTORIES:
        raise Refused(f"the factory of its defaultdict is {factory!r}", "Make it a dict: dict(x).")
    return [factory and factory.__name__, dict(value)]


_FACTORIES = (list, dict, set, int, float, str, bool, tuple)

# Name -> what a value is made of, and how one is made of that. The parts are values too.
NAMED: dict[str, tuple[Callable[[Any], Any], Callable[..., Any]]] = {
    "builtins.complex": (lambda v: [v.real, v.imag], complex),
    "builtins.range": (lambda v: [v.start, v.stop, v.step], range),
    "builtins.slice": (lambda v: [v.start, v.stop, v.step], slice),
    "builtins.ellipsis": (lambda _: [], lambda: ...),
    "builtins.NotImplementedType": (lambda _: [], lambda: NotImplemented),
    "collections.Counter": (lambda v: [dict(v)], lambda d: _of("collections.Counter")(d)),
    "collections.OrderedDict": (lambda v: [dict(v)], lambda d: _of("collections.OrderedDict")(d)),
    "collections.deque": (lambda v: [list(v), v.maxlen], lambda v, n: _of("collections.deque")(v, n)),
    "collections.defaultdict": (
        _default_dict,
        lambda name, d: _of("collections.defaultdict")(
            {f.__name__: f for f in _FACTORIES}[name] if name else None, d
        ),
    ),
    "datetime.date": (lambda v: [v.isoformat()], lambda t: _of("datetime.date").fromisoformat(t)),
    "datetime.time": (_moment, _made_moment("datetime.time")),
    "datetime.datetime": (_moment, _made_moment("datetime.datetime")),
    "datetime.timedelta": (
        lambda v: [v.days, v.seconds, v.microseconds],
        lambda *parts: _of("datetime.timedelta")(*parts),
    ),
    "datetime.timezone": (
        lambda v: list(v.__getinitargs__()),
        lambda *parts: _of("datetime.timezone")(*parts),
    ),
    "zoneinfo.ZoneInfo": (_zone, lambda key: _of("zoneinfo.ZoneInfo")(key)),
    "decimal.Decimal": (lambda v: [str(v)], lambda text: _of("decimal.Decimal")(text)),
    "fractions.Fraction": (lambda v: [v.numerator, v.denominator], lambda *v: _of("fractions.Fraction")(*v)),
    "uuid.UUID": (lambda v: [v.hex], lambda text: _of("uuid.UUID")(text)),
    # A path is the local kind of path wherever it arrives.
    "pathlib.PosixPath": (lambda v: [str(v)], lambda text: _of("pathlib.Path")(text)),
    "pathlib.WindowsPath": (lambda v: [v.as_posix()], lambda text: _of("pathlib.Path")(text)),
    "pathlib.PurePosixPath": (lambda v: [str(v)], lambda text: _of("pathlib.PurePosixPath")(text)),
    "pathlib.PureWindowsPath": (lambda v: [str(v)], lambda text: _of("pathlib.PureWindowsPath")(text)),
}
