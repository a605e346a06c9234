"""What stands for the functions that checkpoints name: data made of data, by name.

`lwedit.generators.pickles` calls nothing but what is in the tables here: stand-ins that note what a
tensor, an array or a module was made from.
"""

import re
from collections.abc import Callable
from typing import Any

from lwedit.generators.pickles import Lookup, Name, NotData, Saved
from lwedit.generators.storages import Storage, TensorView, named_types, numpy_dtype

__all__ = ["MODULE", "lookup_table", "plain"]

MODULE = "torch_utils.persistence."  # path of a module by NVIDIA, before the name of its class
_LONGEST_PATH = 4096
_INERT = re.compile(  # noted with what they were made from
    r"argparse\.Namespace|pathlib\.(_local\.)?(Pure)?(Posix|Windows)?Path|numpy\.dtype"
    r"|torch\.device|torch\.nn\.modules\.[\w.]+|(.*\.)?dnnlib\.tflib\.network\.Network"
)
_PERSISTENT = re.compile(r"(.*\.)?torch_utils\.persistence\._reconstruct_persistent_obj")
_MAPPING = re.compile(r"(.*\.)?(EasyDict|AttrDict)|collections\.(OrderedDict|defaultdict)"
                      r"|(builtins|__builtin__)\.dict")


def lookup_table() -> Lookup:
    """The table for one file."""
    encoded: dict[int, tuple[str, bytes]] = {}  # once each, however often a file refers to it

    def encode(text: str, codec: str) -> bytes:
        """Bytes as protocol 2 writes them."""
        if not isinstance(text, str) or codec not in ("latin1", "latin-1"):
            raise NotData("calls _codecs.encode for something other than bytes")
        if id(text) not in encoded:
            encoded[id(text)] = text, text.encode("latin-1")
        return encoded[id(text)][1]

    def lookup(path: str) -> Callable[..., Any] | None:
        if path.startswith("dill."):
            raise NotData("was written by dill, as StyleGAN-T's files are, which are not supported")
        if path in _BUILDERS:
            return _BUILDERS[path]
        if path == "_codecs.encode":
            return encode
        if _PERSISTENT.fullmatch(path):
            return _module
        if _MAPPING.fullmatch(path):
            return _mapping
        if _INERT.fullmatch(path):
            return lambda *arguments: Saved(path, arguments)
        return named_types(path)

    return lookup


def plain(value: Any) -> Any:  # noqa: ANN401
    """Options as training scripts keep them: text of paths, a dictionary of a namespace."""
    if isinstance(value, Saved) and value.path == "argparse.Namespace":
        return value.state or {}
    if isinstance(value, Saved) and value.path.startswith("pathlib."):
        parts = value.arguments
        if all(isinstance(p, str) for p in parts) and sum(map(len, parts)) < _LONGEST_PATH:
            return re.sub("^//", "/", "/".join(parts))
    return value


def _module(meta: dict[str, Any]) -> Saved:
    """What NVIDIA's persistence makes a module from; the source beside its state is not looked at.

    Raises:
        NotData: If it is something else.
    """
    if type(meta) is not dict or meta.get("type") != "class" or type(meta.get("state")) is not dict:
        raise NotData("has a persistent object that is no module")
    if not isinstance(meta.get("class_name"), str):
        raise NotData("has a persistent object without a class")
    return Saved(MODULE + meta["class_name"], state=meta["state"])


def _number(dtype: Any, data: Any) -> Any:  # noqa: ANN401
    """A numpy scalar as a number; one of another type stays as it is."""
    try:
        kind = numpy_dtype(dtype)
    except NotData:
        return Saved("numpy.generic")
    if not isinstance(data, bytes | bytearray) or len(data) != kind.itemsize:
        raise NotData("has a numpy number of another size")
    return Storage(kind, memoryview(data)).flat.item()


def _typed(function: Name, _type: Name, arguments: tuple, _state: Any) -> TensorView:  # noqa: ANN401
    """A tensor with attributes, without them."""
    if type(function) is not Name or function.path not in _TENSORS:
        raise NotData("has a tensor of another kind")
    return _TENSORS[function.path](*arguments)


_TENSORS: dict[str, Callable[..., TensorView]] = {
    "torch._utils._rebuild_tensor": TensorView,
    "torch._utils._rebuild_tensor_v2": lambda storage, offset, size, stride, *_: TensorView(
        storage, offset, size, stride),
}
_BUILDERS: dict[str, Callable[..., Any]] = _TENSORS | {
    "torch._utils._rebuild_parameter": lambda data, *_: data,
    "torch._utils._rebuild_parameter_with_state": lambda data, *_: data,
    "torch.nn.parameter.Parameter": lambda data, *_: data,
    "torch._tensor._rebuild_from_type_v2": _typed,
    "torch.storage._load_from_bytes": lambda packed: Saved("torch.storage", (packed,)),
    "torch.Size": lambda sizes=(): sizes,
    "torch.serialization._get_layout": lambda name: name,
    "copyreg._reconstructor": lambda cls, _base, _state: Saved(cls.path),
    "copy_reg._reconstructor": lambda cls, _base, _state: Saved(cls.path),
    **{f"{module}.{name}": lambda items=(): items
       for module in ("builtins", "__builtin__") for name in ("set", "frozenset", "list", "tuple")},
    **{f"numpy.{core}.multiarray.scalar": _number for core in ("core", "_core")},
    **{f"numpy.{core}.multiarray._reconstruct": lambda *_: Saved("numpy.ndarray")
       for core in ("core", "_core")},
    **{f"numpy.{core}.numeric._frombuffer": lambda data, dtype, shape, order: Saved(
        "numpy.ndarray", state=(1, shape, dtype, order == "F", data))
       for core in ("core", "_core")},
}


def _mapping(*arguments: Any) -> dict[str, Any]:  # noqa: ANN401
    """An empty dictionary; its entries follow."""
    if not all(isinstance(argument, Name) for argument in arguments):  # of a defaultdict
        raise NotData("has a dictionary that is made from something else")
    return {}
