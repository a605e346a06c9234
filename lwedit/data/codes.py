"""Codes that people bring, whatever way they keep them, as (n, layers, dim) in float32.

    (n, dim)                  one layer
    (n, layers, dim)          as Latent Transformer's were published, (30000, 18, 512)
    (n, 1, layers, dim)       encodings of one image each, stacked
    (n, layers * dim)         flattened: the reader is told `layers`
    a folder of .npy          one code a file, in natural order (1, 2, 10) or as labels name them

Any float type and memory order. A file is one of those that `lwedit.data.arrays` reads.
"""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from lwedit.data.arrays import read_array

__all__ = ["Codes", "read_codes"]

_SHAPES = "(n, dim), (n, layers, dim) or, with --layers, (n, layers * dim)"


class Codes(NamedTuple):
    """Codes, and the files they came from.

    Attributes:
        w: Finite codes.
        files: Name of the file of each, where each has one of its own.
    """

    w: Float[Tensor, "n layers dim"]
    files: tuple[str, ...] | None = None


def read_codes(path: Path, *, layers: int | None = None, key: str | None = None) -> Codes:
    """Codes from a file, or from a folder with one .npy a code.

    Args:
        path: The file or the folder.
        layers: How many layers a flattened code has.
        key: Which array, where the file holds several.

    Raises:
        ValueError: In one line, if this is no array of finite codes, with what to do.
    """
    path = Path(path)
    if layers is not None and layers < 1:
        raise ValueError(f"layers must be at least 1, got {layers}.")
    if path.is_dir():
        array, files = _folder(path)
    else:
        array, files = read_array(path, "codes", key), None
    return Codes(_finite(_shaped(array, layers)), files)


def _folder(path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    # Files that begin with a dot are a system's own, such as ._1.npy of macOS.
    found = [file for file in path.iterdir()
             if file.suffix.lower() == ".npy" and not file.name.startswith(".")]
    if not found:
        raise ValueError(f"codes must be a file or a folder of .npy, {path.name!r} holds none.")
    found.sort(key=lambda file: _natural(file.name))
    rows: list[np.ndarray] = []
    for file in found:
        row = read_array(file, "codes")
        row = row[0] if row.ndim > 1 and row.shape[0] == 1 else row
        if rows and row.shape != rows[0].shape:
            raise ValueError(f"codes must have one shape, {found[0].name!r} has {rows[0].shape} "
                             f"and {file.name!r} has {row.shape}.")
        rows.append(np.array(row))
    return np.stack(rows), tuple(file.name for file in found)


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Sorts 2 before 10."""
    parts = re.split(r"(\d+)", name)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]


def _shaped(array: np.ndarray, layers: int | None) -> np.ndarray:
    """(n, layers, dim), whichever of the known layouts it is."""
    if array.dtype.kind != "f":
        raise ValueError(f"codes must be floats of shape {_SHAPES}, got {array.dtype}.")
    shape = array.shape
    if array.ndim == 4 and shape[1] == 1:
        array = array[:, 0]
    if array.ndim not in (2, 3) or 0 in shape:
        raise ValueError(f"codes must be floats of shape {_SHAPES}, got {shape}.")
    if layers is None or (array.ndim == 3 and array.shape[1] == layers):
        return array.reshape(len(array), -1, array.shape[-1])
    flat = array.shape[-1]
    if (array.ndim == 3 and array.shape[1] != 1) or flat % layers:
        raise ValueError(f"codes must fall into layers = {layers} equal parts, got {shape}.")
    return array.reshape(len(array), layers, flat // layers)


def _finite(array: np.ndarray) -> Float[Tensor, "n layers dim"]:
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and named below
        w = np.array(array, dtype=np.float32, order="C")
    bad = ~np.isfinite(w).reshape(len(w), -1).all(axis=1)
    if bad.any():
        raise ValueError(f"codes must be finite in float32, {int(bad.sum())} are not, the first in "
                         f"row {int(bad.argmax())}.")
    return torch.from_numpy(w)
