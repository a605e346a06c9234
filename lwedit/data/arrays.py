"""Arrays that people bring, read without running anything that is in the file.

What a file is, its first bytes say, not its name: .npy, .npz, .pt (as `torch.save` writes it) and
.safetensors. Pickled objects are never opened; PyTorch's reader builds tensors, containers and
numbers only. What is another format is refused by its name, with the line that converts it.
"""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

__all__ = ["read_array", "says_text"]

_HEAD = 64  # bytes that tell a format
_NPY, _ZIP, _PICKLE = b"\x93NUMPY", b"PK\x03\x04", b"\x80"
_TORCH_BEFORE_ZIP = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # torch.save before 1.6
_MAPPED_FROM = 4096  # bytes from which an .npy is mapped, so that its header cannot ask for more
_OTHERS = (
    (b"\x89HDF", "HDF5", "import h5py, numpy as np; np.save('{0}.npy', h5py.File('FILE')['NAME'])"),
    (b"MATLAB", "MATLAB",
     "import scipy.io, numpy as np; np.save('{0}.npy', scipy.io.loadmat('FILE')['NAME'])"),
    (b"PAR1", "Parquet",
     "import pandas, numpy as np; np.save('{0}.npy', pandas.read_parquet('FILE').to_numpy())"),
    (b"\x1f\x8b", "gzip",
     "import gzip, shutil; shutil.copyfileobj(gzip.open('FILE'), open('{0}', 'wb'))"),
)
_UNPICKLE = {
    "npy": "import numpy as np; "
           "np.save('{0}_plain.npy', np.stack(list(np.load('FILE', allow_pickle=True))))",
    "pt": "import torch, numpy as np; "
          "np.save('{0}.npy', np.stack(list(torch.load('FILE', 'cpu', weights_only=False))))",
    "pickle": "import pickle, numpy as np; "
              "np.save('{0}.npy', np.stack(list(pickle.load(open('FILE', 'rb')))))",
}
_TEXT = "import numpy as np; np.save('{0}.npy', np.loadtxt('FILE', delimiter=','))"


def read_array(path: Path, what: str, key: str | None = None) -> np.ndarray:
    """The array of a file; a list of tensors counts as their stack.

    Args:
        path: .npy, .npz, .pt or .safetensors.
        what: What it should hold, for messages, such as "codes".
        key: Which array, where the file holds several.

    Returns:
        The array; an .npy is mapped and read as it is used.

    Raises:
        ValueError: In one line, if the file is missing, damaged, of another format, or holds
            objects, no array, or several of which none is named.
    """
    path = Path(path)
    head = _head(path, what)
    try:
        if head.startswith(_NPY):
            held: Any = _npy(path)
        elif head.startswith(_ZIP):
            held = _zipped(path)
        elif head.startswith(_TORCH_BEFORE_ZIP):
            held = _tensors(path)
        elif head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= path.stat().st_size:
            held = load_file(path)
        else:
            raise _Refused(_other_format(head, what))
        array = _chosen(held, what, key)
    except _Refused as refusal:
        raise ValueError(f"{what} must be an array, {path.name!r} {refusal}") from refusal
    except Exception as error:  # a damaged file raises whatever it likes
        raise ValueError(
            f"{what} must be a whole file, {path.name!r} is cut off or damaged; make or fetch it "
            "again."
        ) from error
    return array


def says_text(path: Path, what: str) -> bool:
    """Whether a file is text rather than one of the formats of arrays.

    Raises:
        ValueError: If it cannot be read or is empty.
    """
    head = _head(path, what)
    known = (_NPY, _ZIP, _PICKLE, *(magic for magic, *_ in _OTHERS))
    return not (head.startswith(known) or head[8:9] == b"{" or _download_failed(head))


class _Refused(Exception):
    """What is wrong with a file that can be told apart from a damaged one."""


def _head(path: Path, what: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            head = file.read(_HEAD)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "no such file"
        raise ValueError(f"{what} must be a file that can be read, got {str(path)!r}: "
                         f"{why}.") from error
    if not head:
        raise ValueError(f"{what} must be a file with something in it, {path.name!r} is empty.")
    return head


def _npy(path: Path) -> np.ndarray:
    mapped = path.stat().st_size >= _MAPPED_FROM
    try:
        return np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    except ValueError as error:
        raise _objects(error, "npy") from error


def _objects(error: Exception, kind: str) -> Exception:
    """The same error, or what to do where the file holds pickled objects."""
    text = str(error)
    if not any(word in text for word in ("bject arrays", "Python objects", "nsupported",
                                         "WeightsUnpickler", "weights_only", "GLOBAL")):
        return error
    return _Refused("holds Python objects, which are never opened here. If you made it or trust "
                    f"who did, convert it: {_command(_UNPICKLE[kind])}")


def _command(line: str, what: str = "codes") -> str:
    return f'python -c "{line.format(what)}"'


def _zipped(path: Path) -> Any:  # noqa: ANN401  (whatever the file holds)
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    if any(name.endswith("data.pkl") for name in names):
        return _tensors(path)
    if any(name.startswith("xl/") for name in names):
        raise _Refused("is a spreadsheet: save it as CSV (UTF-8) there and give the .csv")
    if not names or not all(name.endswith(".npy") for name in names):
        raise _Refused("is a ZIP archive without arrays: unpack it and give the .npy")
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: _Lazy(path, name) for name in file.files}
    except ValueError as error:
        raise _objects(error, "npy") from error


class _Lazy:
    """An array of an archive that is read when it is chosen."""

    def __init__(self, path: Path, name: str):
        self.path, self.name = path, name

    def read(self) -> np.ndarray:
        try:
            with np.load(self.path, allow_pickle=False) as file:
                return file[self.name]
        except ValueError as error:
            raise _objects(error, "npy") from error


def _tensors(path: Path) -> Any:  # noqa: ANN401  (whatever the file holds)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file raises whatever it likes
        raise _objects(error, "pt") from error


def _other_format(head: bytes, what: str) -> str:
    if head.startswith(_PICKLE):
        return str(_objects(ValueError("GLOBAL"), "pickle"))
    for magic, name, line in _OTHERS:
        if head.startswith(magic):
            return (f"is a file of {name}, which is not read here. Convert it: "
                    f"{_command(line, what)}")
    if _download_failed(head):
        return _download_failed(head)
    if b"\0" not in head:
        return f"is text. If it is a table of numbers, convert it: {_command(_TEXT, what)}"
    return ("is none of .npy, .npz, .pt and .safetensors by its first bytes. Write it with "
            f"numpy.save('{what}.npy', array)")


def _download_failed(head: bytes) -> str:
    """What stands in place of the file, if its first bytes say so."""
    if head.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        return "is a web page: the download was refused; fetch it in a browser"
    if head.startswith(b"version https://git-lfs"):
        return "is a Git LFS pointer: fetch the file with git lfs pull"
    return ""


def _chosen(held: Any, what: str, key: str | None) -> np.ndarray:  # noqa: ANN401
    """The array that is meant."""
    if isinstance(held, Mapping):
        named = {str(name): value for name, value in held.items()
                 if isinstance(value, Tensor | _Lazy)}
        shown = ", ".join(repr(name)[:40] for name in sorted(named)[:6]) or "nothing"
        if key is not None and key not in named:
            raise _Refused(f"has no array {key!r}; it holds {shown}")
        if key is None and len(named) != 1:
            raise _Refused(f"holds {len(named)} arrays ({shown}); name one with --key")
        held = named[key] if key is not None else next(iter(named.values()))
    elif key is not None:
        raise _Refused(f"holds one array without a name; leave out --key {key!r}")
    if isinstance(held, np.ndarray):
        return held
    if isinstance(held, _Lazy):
        return held.read()
    if isinstance(held, Tensor):
        return _plain(held)
    if isinstance(held, list | tuple) and held and all(isinstance(one, Tensor) for one in held):
        return _stacked([_plain(one) for one in held])
    raise _Refused(f"holds neither a tensor nor a list of tensors ({type(held).__name__}). Save "
                   f"one: torch.save(torch.stack(tensors), '{what}.pt')")


def _plain(tensor: Tensor) -> np.ndarray:
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


def _stacked(arrays: list[np.ndarray]) -> np.ndarray:
    """Arrays of one shape as one an entry; batches, whose last is shorter, one after the other."""
    shapes = {array.shape for array in arrays}
    if len(shapes) == 1:
        stacked = np.stack(arrays)
        batches = stacked.ndim == 4 and stacked.shape[1] > 1
        return stacked.reshape(-1, *stacked.shape[2:]) if batches else stacked
    if len({shape[1:] for shape in shapes}) == 1 and () not in shapes:
        return np.concatenate(arrays)
    raise _Refused(f"holds tensors of different shapes, such as {sorted(shapes)[0]} and "
                   f"{sorted(shapes)[-1]}")
