"""Tensors and arrays of a checkpoint, as views of the bytes that it holds.

A tensor is built when it is asked for (`as_tensor`), after its bounds are compared with its
storage, and shares the storage's memory, so that a file cannot make more of its bytes than it has.
Storages lie in an archive, behind the pickles of a legacy file, or in a bare pickle, where each is
a legacy file of its own in bytes.
"""

import io
import math
import re
import struct
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from lwedit.generators.pickles import Lookup, Name, NotData, Saved, Stream, read_pickle

__all__ = [
    "MAGIC",
    "Storage",
    "TensorView",
    "as_tensor",
    "legacy",
    "named_types",
    "numpy_dtype",
    "storage_identity",
]

MAGIC = 0x1950A86A20F9469CFC6C  # the first number of a legacy file
_EXPANDED = 1 << 20  # numbers that a tensor may show beyond those that are stored, by stride 0
_DTYPES = {
    "Float": torch.float32, "Double": torch.float64, "Half": torch.float16,
    "BFloat16": torch.bfloat16, "Long": torch.int64, "Int": torch.int32, "Short": torch.int16,
    "Char": torch.int8, "Byte": torch.uint8, "Bool": torch.bool,
}
_NUMPY = {
    "f2": torch.float16, "f4": torch.float32, "f8": torch.float64, "i1": torch.int8,
    "i2": torch.int16, "i4": torch.int32, "i8": torch.int64, "u1": torch.uint8, "b1": torch.bool,
}
_TYPE = re.compile(rf"torch\.(?:cuda\.)?({'|'.join(_DTYPES)})Storage")
_VALUES = re.compile(  # named, never called
    r"builtins\.object|__builtin__\.object|numpy\.ndarray|torch\.(Tensor|u?int\d+|b?float\d+|bool)"
)


def as_tensor(value: Any) -> Tensor | None:  # noqa: ANN401
    """The tensor that a part of the file stands for, or None if it is none.

    Args:
        value: Anything that `read_torch_file` gave. The tensor may be read-only: copy it.

    Raises:
        ValueError: If it does not lie in its storage, or its storage is damaged.
    """
    if isinstance(value, TensorView):
        return value.tensor()
    if isinstance(value, Saved) and value.path == "numpy.ndarray":
        return _array(value)
    return None


@dataclass(eq=False)
class Storage:
    """Numbers of one type.

    Attributes:
        dtype: Their type.
        data: Where they lie, which a legacy file states after the tensors that use them.
    """

    dtype: torch.dtype
    data: memoryview | None = None

    @cached_property
    def flat(self) -> Tensor:
        """All of them, one after another."""
        if self.data is None or len(self.data) == 0:
            return torch.empty(0, dtype=self.dtype)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it is read-only, and nobody writes
            return torch.frombuffer(self.data, dtype=self.dtype)


@dataclass(frozen=True, eq=False)
class TensorView:
    """A tensor that is not built yet; what a file states of it is not checked before.

    Attributes:
        storage: A `Storage`, or what stands for one that is packed as a legacy file.
        offset: Where the first number is.
        size: Shape.
        stride: Numbers between neighbours along each axis.
    """

    storage: Any
    offset: Any
    size: Any
    stride: Any

    def tensor(self) -> Tensor:
        """The tensor, read-only.

        Raises:
            ValueError: If it does not lie in its storage.
        """
        size, stride, offset = self.size, self.stride, self.offset
        sizes = isinstance(size, tuple | list) and isinstance(stride, tuple | list)
        numbers = [*size, *stride, offset] if sizes else [None]
        if len(size) != len(stride) or not all(type(n) is int and 0 <= n < 2**40 for n in numbers):
            raise ValueError("a tensor must have a size and a stride of whole numbers")
        flat = _storage(self.storage).flat
        count = math.prod(size)
        last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
        if count and (last >= len(flat) or count > max(len(flat), _EXPANDED)):
            raise ValueError("a tensor must lie in its storage, the file is truncated or damaged")
        if count == 0:
            return torch.empty(tuple(size), dtype=flat.dtype)
        return flat.as_strided(tuple(size), tuple(stride), offset)


def _storage(value: Any) -> Storage:  # noqa: ANN401
    """A storage, unpacked from its bytes where it lies in a bare pickle.

    Raises:
        ValueError: If it is damaged, or holds anything else.
    """
    if isinstance(value, Saved) and value.path == "torch.storage":
        if value.state is None:
            try:
                packed = memoryview(value.arguments[0])
                value.state = legacy(io.BytesIO(packed), packed, named_types)
            except NotData as error:
                raise ValueError(f"a storage must hold numbers only: it {error}") from error
            except Exception as error:
                raise ValueError("a storage must be whole, it is damaged") from error
        value = value.state
    if not isinstance(value, Storage):
        raise ValueError("a tensor must lie in a storage")
    return value


def _array(saved: Saved) -> Tensor:
    """A numpy array from its state: version, shape, dtype, Fortran order, bytes.

    Raises:
        ValueError: If it is damaged or of objects.
    """
    try:
        _, shape, dtype, fortran, data = saved.state
        storage = Saved("torch.storage", state=Storage(numpy_dtype(dtype), memoryview(data)))
        step, stride = 1, []
        for n in shape if fortran else reversed(shape):
            stride.append(step)
            step *= max(n, 1)
        stride = stride if fortran else stride[::-1]
        return TensorView(storage, 0, tuple(shape), tuple(stride)).tensor()
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError("an array must be of numbers and whole") from error


def numpy_dtype(saved: Any) -> torch.dtype:  # noqa: ANN401
    """Of a dtype as numpy pickles it.

    Args:
        saved: What stands for it.

    Raises:
        NotData: If it is of objects, text or big-endian numbers.
    """
    if isinstance(saved, Saved) and saved.path == "numpy.dtype" and saved.arguments:
        order = saved.state[1] if isinstance(saved.state, tuple) and len(saved.state) > 1 else "<"
        code = saved.arguments[0]
        if isinstance(code, str) and code in _NUMPY and order in ("<", "|", "="):
            return _NUMPY[code]
    raise NotData("has a numpy array or number of a type that is not read")


def legacy(stream: Stream, buffer: memoryview, lookup: Lookup) -> Any:  # noqa: ANN401
    """The object in a legacy file.

    Args:
        stream: Where it begins.
        buffer: All of the stream.
        lookup: What may be named in it.

    Raises:
        NotData: If it asks for something other than data.
        Exception: Of many kinds, if it is damaged.
    """
    storages: dict[str, Storage] = {}

    def persistent(identity: Any) -> Storage:  # noqa: ANN401
        key, dtype = storage_identity(identity)
        return storages.setdefault(key, Storage(dtype))

    if read_pickle(stream, lookup) != MAGIC or read_pickle(stream, lookup) != 1001:
        raise NotData("is of another version of PyTorch's format")
    facts = read_pickle(stream, lookup)
    if not facts.get("little_endian", True):
        raise NotData("has big-endian numbers")
    held = read_pickle(stream, lookup, persistent)
    keys, place = read_pickle(stream, lookup), stream.tell()
    for key in keys:
        if not isinstance(key, str):
            raise NotData("has storages without names")
        storage = storages[key]
        count, place = struct.unpack_from("<q", buffer, place)[0], place + 8
        size = count * storage.dtype.itemsize
        if count < 0 or place + size > len(buffer):
            raise ValueError("storages end before the file says so")
        storage.data, place = buffer[place : place + size], place + size
    return held


def storage_identity(identity: Any) -> tuple[str, torch.dtype]:  # noqa: ANN401
    """Key and type of a storage, as a file refers to it.

    Args:
        identity: ("storage", type, key, place, count), and for legacy files a view, None.

    Raises:
        NotData: If it is something else.
    """
    if type(identity) is not tuple or len(identity) not in (5, 6) or identity[0] != "storage":
        raise NotData("refers to an object outside of the file")
    if not isinstance(identity[1], Name) or not isinstance(identity[2], str):
        raise NotData("refers to a storage without a type")
    if len(identity) == 6 and identity[5] is not None:
        raise NotData("has views of storages as PyTorch before 0.4 saved them")
    kind = _TYPE.fullmatch(identity[1].path)
    if kind is None:
        raise NotData("refers to a storage of an unknown type")
    return identity[2], _DTYPES[kind[1]]


def _uncalled(path: str) -> Callable[..., Any]:
    def refuse(*_: Any) -> None:  # noqa: ANN401
        raise NotData(f"calls {path}")

    return refuse


def named_types(path: str) -> Callable[..., Any] | None:
    """Types, which are named and never called: all that may be named beside a storage.

    Args:
        path: Of the type; anything else gives None.
    """
    return _uncalled(path) if _TYPE.fullmatch(path) or _VALUES.fullmatch(path) else None
