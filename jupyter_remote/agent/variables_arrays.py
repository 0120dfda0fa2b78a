"""numpy arrays, torch tensors and pictures as nodes (see ``variables.py``): their raw bytes and a few facts.

No array of objects: that would be a pickle. What comes is checked against the bytes that came before
anything is allocated for it.
"""

from __future__ import annotations

from .parcel import Broken, Refused
from .variables import guest

TYPE_CHECKING = False  # as in typing, without the 5 ms of importing it
if TYPE_CHECKING:
    from typing import Any, Callable

    from .variables import Packer, Unpacker

# Bits for each pixel, and the rows that are padded to whole bytes.
BITS = {
    "1": 1, "L": 8, "P": 8, "LA": 16, "PA": 16, "La": 16, "RGB": 24, "YCbCr": 24, "LAB": 24, "HSV": 24,
    "RGBA": 32, "RGBX": 32, "RGBa": 32, "CMYK": 32, "I": 32, "F": 32, "I;16": 16, "I;16L": 16, "I;16B": 16,
}  # fmt: skip


def pack(packer: Packer, value: Any, _depth: int) -> list[Any] | None:
    """The node of a value of these packages, None when its type is not known here."""
    kind = type(value)
    package = kind.__module__.partition(".")[0]
    if package == "torch":
        return _pack_torch(packer, value)
    if package == "PIL":
        return _pack_picture(packer, value)
    numpy = guest("numpy", "an array")
    if kind in (numpy.ndarray, numpy.memmap):
        return ["numpy.array", *_pack_array(packer, value)]
    if isinstance(value, numpy.generic):
        return ["numpy.scalar", *_pack_array(packer, numpy.asarray(value))]
    if kind is numpy.ma.MaskedArray:
        mask = numpy.ma.getmaskarray(value)
        fill = packer.node(numpy.asarray(value.fill_value, dtype=value.dtype))
        return ["numpy.masked", packer.node(value.data), packer.node(mask), fill]
    if isinstance(value, numpy.dtype) and not value.hasobject:
        return ["numpy.dtype", numpy.lib.format.dtype_to_descr(value)]
    return None


def _pack_array(packer: Packer, value: Any) -> list[Any]:
    numpy = guest("numpy", "an array")
    if value.dtype.hasobject or value.dtype.kind == "T":
        hint = "Convert it: x.astype(str), x.astype(float), x.tolist()."
        raise Refused(f"a numpy array of dtype {value.dtype} holds Python objects, not numbers", hint)
    order = "C"
    if not value.flags.c_contiguous:
        if value.flags.f_contiguous:
            value, order = value.T, "F"
        else:
            value = numpy.ascontiguousarray(value)
    shape = list(value.shape) if order == "C" else list(value.shape)[::-1]
    descr = numpy.lib.format.dtype_to_descr(value.dtype)
    return [descr, shape, order, _long_double(numpy, value.dtype), packer.add(_raw(numpy, value))]


def _raw(numpy: Any, value: Any) -> Any:
    if value.nbytes == 0:
        return b""
    return memoryview(value.reshape(-1).view(numpy.ndarray).view(numpy.uint8))


def _long_double(numpy: Any, dtype: Any) -> int:
    """Bits of a long double where there is one in the type: machines differ in it, its name does not tell."""
    if dtype.names:
        return max(_long_double(numpy, dtype[name].base) for name in dtype.names)
    return int(numpy.finfo(dtype).nmant) if dtype.char in "gG" else 0


def _unpack_array(unpacker: Unpacker, descr: Any, shape: Any, order: str, long: int, number: int) -> Any:
    numpy = guest("numpy", "a numpy array")
    dtype = numpy.lib.format.descr_to_dtype(_descr(descr))
    data = unpacker.buffer(number)
    if dtype.hasobject:
        raise Broken("an array of objects")
    if long != _long_double(numpy, dtype):
        raise Refused(
            f"a {dtype} of one machine is another number on the other", "Convert it: x.astype(float)."
        )
    if order not in ("C", "F") or len(shape) > 64 or any(type(n) is not int or n < 0 for n in shape):
        raise Broken("an array's shape")
    count = 1
    for length in shape:
        count *= length
    if count * dtype.itemsize != len(data) or (dtype.itemsize == 0 and count > 1 << 20):
        raise Broken(f"an array of {count * dtype.itemsize} bytes, of which {len(data)} came")
    flat = numpy.frombuffer(data, dtype=dtype) if data else numpy.zeros(count, dtype=dtype)
    return flat.reshape(shape, order=order)


def _descr(told: Any) -> Any:
    """A dtype's description: JSON has made lists of its tuples."""
    if isinstance(told, str):
        return told
    fields = []
    for name, below, *shape in told:
        name = tuple(name) if isinstance(name, list) else name
        fields.append((name, _descr(below), *(tuple(lengths) for lengths in shape)))
    return fields


def _unpack_masked(unpacker: Unpacker, data: Any, mask: Any, fill: Any) -> Any:
    numpy = guest("numpy", "a masked array")
    parts = [unpacker.value(node) for node in (data, mask, fill)]
    return numpy.ma.MaskedArray(parts[0], mask=parts[1], fill_value=parts[2][()])


# torch. A tensor is its bytes too; it arrives on the CPU, whatever it was on.


def _pack_torch(packer: Packer, value: Any) -> list[Any] | None:
    torch = guest("torch", "a tensor")
    if type(value) is torch.Size:
        return ["torch.Size", list(value)]
    if isinstance(value, torch.dtype):
        return ["torch.dtype", str(value).partition(".")[2]]
    parameter = type(value) is torch.nn.Parameter
    if not parameter and type(value) is not torch.Tensor:
        if isinstance(value, torch.nn.Module):
            raise Refused("a torch module is code and weights", "Send its x.state_dict(), and load it there.")
        return None
    if value.layout != torch.strided or value.is_quantized or value.device.type == "meta":
        raise Refused(f"a tensor that is {value.layout} on {value.device}", "Send a dense one: x.to_dense().")
    plain = value.detach().cpu().resolve_conj().resolve_neg().contiguous()
    raw = memoryview(plain.reshape(-1).view(torch.uint8).numpy()) if plain.numel() else b""
    facts = [bool(value.requires_grad), parameter]
    name = str(value.dtype).partition(".")[2]
    return ["torch.tensor", name, list(value.shape), facts, packer.add(raw)]


def _torch_type(torch: Any, name: str) -> Any:
    dtype = getattr(torch, name, None)
    if not isinstance(dtype, torch.dtype):
        raise Refused(f"the torch there has no type {name!r}", "Convert it: x.float().")
    return dtype


def _unpack_tensor(unpacker: Unpacker, name: str, shape: Any, facts: Any, number: int) -> Any:
    torch = guest("torch", "a torch tensor")
    dtype = _torch_type(torch, name)
    data = unpacker.buffer(number)
    count = 1
    for length in shape:
        if type(length) is not int or length < 0:
            raise Broken("a tensor's shape")
        count *= length
    if count * dtype.itemsize != len(data):
        raise Broken(f"a tensor of {count} numbers in {len(data)} bytes")
    flat = torch.frombuffer(data, dtype=dtype) if data else torch.empty(0, dtype=dtype)
    tensor = flat.reshape(shape)
    gradient, parameter = facts
    if parameter:
        return torch.nn.Parameter(tensor, requires_grad=bool(gradient))
    return tensor.requires_grad_() if gradient else tensor


# Pictures: the pixels as they are, so nothing is lost and nothing has to be decoded.


def _pack_picture(packer: Packer, value: Any) -> list[Any] | None:
    image = guest("PIL.Image", "a picture")
    if not isinstance(value, image.Image):
        return None
    if value.mode not in BITS:
        raise Refused(f"a picture of mode {value.mode}", "Convert it: x.convert('RGBA').")
    palette = value.getpalette("RGBA") if value.mode in ("P", "PA") else None
    kind = value.palette.mode if palette and value.palette else ""
    transparency = value.info.get("transparency")
    return [
        "PIL.image",
        value.mode,
        list(value.size),
        kind,
        bytes(palette or b"").hex(),
        packer.node(transparency if isinstance(transparency, (int, bytes, tuple)) else None),
        packer.add(value.tobytes()),
    ]


def _unpack_picture(
    unpacker: Unpacker, mode: str, size: Any, kind: str, palette: str, transparency: Any, number: int
) -> Any:
    image = guest("PIL.Image", "a PIL picture")
    data = unpacker.buffer(number)
    width, height = size
    if type(width) is not int or type(height) is not int or width < 0 or height < 0:
        raise Broken("a picture's size")
    if (width * BITS[mode] + 7) // 8 * height != len(data) or max(width, height) > 1 << 30:
        raise Broken(f"a picture of {width}x{height} in {len(data)} bytes")
    picture = (
        image.frombytes(mode, (width, height), bytes(data)) if data else image.new(mode, (width, height))
    )
    if palette:
        colours = bytes.fromhex(palette)
        if kind != "RGBA":
            colours = b"".join(colours[at : at + 3] for at in range(0, len(colours), 4))
        picture.putpalette(colours, kind)
    clear = unpacker.value(transparency)
    if clear is not None:
        picture.info["transparency"] = clear
    return picture


UNPACK: dict[str, Callable[..., Any]] = {
    "numpy.array": _unpack_array,
    "numpy.scalar": lambda *given: _unpack_array(*given)[()],
    "numpy.masked": _unpack_masked,
    "numpy.dtype": lambda _, descr: guest("numpy", "a dtype").lib.format.descr_to_dtype(_descr(descr)),
    "torch.tensor": _unpack_tensor,
    "torch.Size": lambda _, lengths: guest("torch", "a torch.Size").Size(lengths),
    "torch.dtype": lambda _, name: _torch_type(guest("torch", "a torch type"), name),
    "PIL.image": _unpack_picture,
}
